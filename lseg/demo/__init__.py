"""The demo: a page where one types labels, and its API. Needs the extra `demo` (Gradio)."""
