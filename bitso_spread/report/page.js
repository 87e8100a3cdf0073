// Draws the charts over time with uPlot, and gives tips. The data lies in the page as JSON.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  // A4 and Letter with their margins; what is printed has no width before it is laid out.
  const PRINT_WIDTH = 680;
  const HEIGHTS = { spread: 240, price: 200 };
  const single = data.step === data.interval;

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const number = (digits) =>
    new Intl.NumberFormat("en", { maximumSignificantDigits: digits }).format;
  const spread = number(5);
  const price = number(10);

  // ---- times, by the clocks of the report's zone

  const zoneOf = (tz) => {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: tz }).resolvedOptions().timeZone;
    } catch {
      return "UTC"; // a zone that this browser does not know: every time says its offset
    }
  };
  const zone = zoneOf(data.tz);
  const clock = new Intl.DateTimeFormat("en", {
    timeZone: zone, hourCycle: "h23", timeZoneName: "longOffset",
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const timeText = (seconds) => {
    const part = {};
    for (const { type, value } of clock.formatToParts(seconds * 1000)) part[type] = value;
    const offset = part.timeZoneName.slice(3).replace("−", "-");
    return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}` +
      (offset && offset !== "+00:00" ? offset : " UTC");
  };
  const lengthText = (seconds) => {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
      if (seconds % size === 0) return `${seconds / size} ${unit}`;
    return `${seconds} s`;
  };

  // ---- series: a value holds to the end of its span, and nothing is drawn where nothing is known

  const NAMES = single ? ["mean", "bid", "ask"] : ["mean", "min", "max", "bid", "ask", "low", "high"];

  function points(book) {
    const held = { x: [], span: [], from: [], to: [] };
    for (const name of NAMES) held[name] = [];
    const push = (x, span, from, to, i) => {
      held.x.push(x);
      held.span.push(span);
      held.from.push(from);
      held.to.push(to);
      for (const name of NAMES) held[name].push(i < 0 ? null : book[name][i]);
    };
    const startOf = (i) => data.start + i * data.step;
    let i = 0;
    while (i < data.count) {
      let next = i + 1;
      if (book.mean[i] === null) {
        while (next < data.count && book.mean[next] === null) next++;
        push((startOf(i) + startOf(next)) / 2, -1, startOf(i), startOf(next), -1);
      } else {
        push(startOf(i), i, startOf(i), startOf(next), i);
        if (next === data.count || book.mean[next] === null)
          push(startOf(next) - 1e-3, i, startOf(i), startOf(next), i);
      }
      i = next;
    }
    return held;
  }

  // ---- charts

  const charts = [];

  function zoom(min, max) {
    const least = 10 * data.interval;
    const width = Math.min(Math.max(max - min, least), data.end - data.first);
    min = Math.min(Math.max(min, data.first), data.end - width);
    for (const { plot } of charts) plot.setScale("x", { min, max: min + width });
  }
  const all = () => zoom(data.first, data.end);

  // uPlot's own, but for those below a second, which would be labelled alike.
  const INCREMENTS = [
    1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 28800, 43200,
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60, 90, 120, 180, 365, 730, 1825, 3650].map((days) => days * 86400),
  ];
  // From the last of these that is true: [length of a step, usual label, label of a new year, …].
  const day = "\n{YYYY}-{MM}-{DD}";
  const TIMES = [
    [86400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
    [86400 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", day, null, day, null, null, null, 1],
    [1e-3, "{HH}:{mm}:{ss}", day, null, day, null, null, null, 1],
  ];

  // The least that a column of pixels is greyed: what is missing in it may be a second of a year.
  const FAINTEST = 0.3;

  function underlay(book) {
    return (plot) => {
      const { ctx, bbox } = plot;
      const missing = new Float64Array(Math.ceil(bbox.width));
      for (const [first, count, known, ticks] of book.gaps) {
        const from = plot.valToPos(data.start + first * data.step, "x", true) - bbox.left;
        const to = plot.valToPos(data.start + (first + count) * data.step, "x", true) - bbox.left;
        for (let i = Math.max(0, Math.floor(from)); i < Math.min(missing.length, Math.ceil(to)); i++)
          missing[i] += (Math.min(i + 1, to) - Math.max(i, from)) * (1 - known / ticks);
      }
      ctx.save();
      ctx.fillStyle = colour("gap");
      missing.forEach((share, i) => {
        if (!share) return;
        ctx.globalAlpha = Math.min(1, Math.max(FAINTEST, share));
        ctx.fillRect(bbox.left + i, bbox.top, 1, bbox.height);
      });
      ctx.restore();
    };
  }

  function limits(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = colour("limit");
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    const line = 13 * devicePixelRatio;
    let above = -Infinity;
    for (const limit of [...data.thresholds].sort((a, b) => b - a)) {
      if (limit <= plot.scales.y.min || limit >= plot.scales.y.max) continue;
      const y = Math.round(plot.valToPos(limit, "y", true));
      ctx.strokeStyle = colour("limit");
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
      // Above its line, unless there is no room; one upon another could not be read.
      const place = y - line < bbox.top ? y + line : y - 4 * devicePixelRatio;
      if (place - above < line) continue;
      above = place;
      ctx.strokeStyle = colour("bg");
      ctx.lineWidth = 4 * devicePixelRatio;
      ctx.strokeText(`${limit} %`, bbox.left + bbox.width - 4, place);
      ctx.fillText(`${limit} %`, bbox.left + bbox.width - 4, place);
    }
    ctx.restore();
  }

  const knownIn = (book, i) => {
    for (const [first, count, known] of book.gaps)
      if (i >= first && i < first + count) return known;
    return null;
  };

  function spanText(book, held, at) {
    if (at === null || at === undefined) return "–";
    if (held.span[at] < 0) return `${timeText(held.from[at])} for ${lengthText(held.to[at] - held.from[at])}: nothing known`;
    const known = knownIn(book, held.span[at]);
    const part = known === null ? "" : `, ${known} of ${Math.round(data.step / data.interval)} known`;
    return timeText(held.from[at]) + (single ? "" : ` (${lengthText(data.step)}${part})`);
  }

  function chart(place, book, held, kind) {
    const step = uPlot.paths.stepped({ align: 1 });
    const line = (label, name, width, unit, write) => ({
      label, width, class: `of-${name}`, paths: step, points: { show: false },
      stroke: () => colour(name),
      value: (_, value) => (value === null || value === undefined ? "–" : `${write(value)} ${unit}`),
    });
    let series, values, bands;
    if (kind === "spread") {
      values = single ? [held.mean] : [held.mean, held.min, held.max];
      series = [line(single ? "Spread" : "Mean spread", "spread", 1.25, "%", spread)];
      if (!single)
        series.push(line("Min", "faint", 0.5, "%", spread), line("Max", "faint", 0.5, "%", spread));
      bands = single ? [] : [{ series: [3, 2], fill: () => colour("band") }];
    } else {
      values = single ? [held.bid, held.ask] : [held.bid, held.ask, held.low, held.high];
      series = [
        line(single ? "Best bid" : "Mean best bid", "bid", 1.25, book.minor, price),
        line(single ? "Best ask" : "Mean best ask", "ask", 1.25, book.minor, price),
      ];
      if (!single)
        series.push(
          line("Lowest bid", "edge", 0.5, book.minor, price),
          line("Highest ask", "edge", 0.5, book.minor, price),
        );
      bands = single ? [] : [{ series: [4, 3], fill: () => colour("range") }];
    }
    const axis = {
      stroke: () => colour("muted"),
      grid: { stroke: () => colour("grid"), width: 1 },
      ticks: { stroke: () => colour("grid"), width: 1 },
    };
    const plot = new uPlot(
      {
        width: place.clientWidth, height: HEIGHTS[kind],
        padding: [8, 36, 0, 0], // half of a date beside the last tick
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: {
          // One chart's pointer and zoom are all charts'.
          sync: { key: "time", setSeries: false, scales: ["x", null] },
          drag: { x: true, y: false, setScale: true },
          points: { show: true, size: 6 },
          y: false,
          bind: { dblclick: () => () => { all(); return null; } },
        },
        scales: {
          y: { range: kind === "spread" ? { min: { soft: 0, mode: 1, pad: 0.1 }, max: { pad: 0.1 } } : undefined },
        },
        axes: [
          { ...axis, values: TIMES, incrs: INCREMENTS, space: 70 },
          {
            ...axis, size: 84,
            values: (_, ticks) => ticks.map((tick) => (kind === "spread" ? `${spread(tick)} %` : price(tick))),
          },
        ],
        series: [{ label: "Time", value: (u, _v, _s, at) => spanText(book, held, at) }, ...series],
        bands,
        hooks: {
          drawClear: [underlay(book)],
          draw: kind === "spread" ? [limits] : [],
        },
      },
      [held.x, ...values],
      place,
    );
    const canvas = plot.ctx.canvas;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label",
      `${kind === "spread" ? "Spread" : "Best bid and best ask"} of ${book.book} over time`);
    charts.push({ plot, place, book: book.book, kind });
  }

  // ---- the page: size, colours, print, buttons, tips

  const fit = (width) => {
    for (const { plot, place, kind } of charts)
      plot.setSize({ width: width ?? place.clientWidth, height: HEIGHTS[kind] });
  };

  const hourOf = (place) => {
    if (place.tagName !== "TD") return "";
    const hour = place.cellIndex - 1;
    const digits = (number) => String(number).padStart(2, "0");
    return `${place.parentNode.cells[0].textContent} ${digits(hour)}:00 to ${digits(hour + 1)}:00: `;
  };

  function tips() {
    const tip = document.getElementById("tip");
    const show = (event) => {
      const place = event.target.closest?.("[data-tip]");
      tip.hidden = !place;
      if (!place) return;
      tip.textContent = hourOf(place) + place.dataset.tip;
      const box = place.getBoundingClientRect();
      const left = Math.min(Math.max(4, box.left + box.width / 2 - tip.offsetWidth / 2),
        root.clientWidth - tip.offsetWidth - 4);
      const above = box.top - tip.offsetHeight - 6;
      tip.style.left = `${left}px`;
      tip.style.top = `${above < 0 ? box.bottom + 6 : above}px`;
    };
    document.addEventListener("pointermove", show);
    document.addEventListener("pointerdown", show);
    document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
  }

  function buttons() {
    const middle = (factor, shift) => () => {
      const { min, max } = charts[0].plot.scales.x;
      const width = (max - min) * factor;
      const centre = (min + max) / 2 + (max - min) * shift;
      zoom(centre - width / 2, centre + width / 2);
    };
    const does = {
      all, nearer: middle(0.5, 0), farther: middle(2, 0),
      earlier: middle(1, -0.5), later: middle(1, 0.5),
    };
    for (const button of document.querySelectorAll("button[data-zoom]"))
      button.addEventListener("click", does[button.dataset.zoom]);
  }

  const places = document.querySelectorAll("[data-chart]");
  const held = data.books.map(points);
  for (const place of places) {
    const at = Number(place.dataset.book);
    chart(place, data.books[at], held[at], place.dataset.chart);
  }
  if (charts.length) {
    all();
    buttons();
    const redraw = () => { for (const { plot } of charts) plot.redraw(false, true); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("resize", () => fit());
    addEventListener("beforeprint", () => { root.classList.add("printing"); fit(PRINT_WIDTH); });
    addEventListener("afterprint", () => { root.classList.remove("printing"); fit(); });
  }
  tips();
  root.classList.add("drawn");
})();
