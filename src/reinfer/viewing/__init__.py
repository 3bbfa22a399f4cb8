"""Figures, videos and the report: what a reader sees. All is drawn from records, without a display."""
