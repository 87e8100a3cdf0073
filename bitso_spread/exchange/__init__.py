"""All that knows Bitso: its wire, REST, WebSocket feed, and what they make known of a book."""
