"""All that knows the layout on disk: paths, journal, writer, reader."""
