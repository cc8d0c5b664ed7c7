"""A visitor of the demo's page."""

WAIT = 90_000  # milliseconds: a browser that is cold takes half a minute on a busy machine


class Visit:
    """A tab with the page, and what its console said."""

    def __init__(self, browser, url, width=1280, theme="light"):
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.complaints = []
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.outside = []
        self.page.on("request", lambda request: self.outside.append(request.url))
        self.page.goto(f"{url}?__theme={theme}")
        self.answered()

    def _listen(self, message):
        if message.type == "error":  # Gradio itself warns of its own upload progress
            self.complaints.append(message.text)

    def answered(self, *names):
        """Waits until the legend shows these labels (any, if none are given)."""
        view = self.page.locator("#viewer .viewer[data-stamp]:not(.empty)")
        view.wait_for()
        if names:
            buttons = "[...document.querySelectorAll('#viewer .legend button')]"
            script = f"names => names.join() === {buttons}.map(each => each.innerText).join()"
            self.page.wait_for_function(script, arg=list(names))

    def upload(self, path):
        self.page.get_by_label("Remove Image").click()
        self.page.locator("#viewer .viewer.empty").wait_for()
        self.page.locator("#picture input[type=file]").first.set_input_files(path)

    def say(self, text):
        self.page.locator("#labels textarea").fill(text)

    def canvas_pixel(self, x, y):
        script = "([x, y]) => [...document.querySelector('#viewer canvas').getContext('2d')" + (
            ".getImageData(x, y, 1, 1).data]"
        )
        return self.page.evaluate(script, [x, y])[:3]

    def save(self, name):
        with self.page.expect_download() as download:
            self.page.locator(f"#save-{name}").click()
        return download.value

    def told(self, words):
        """Waits for a message with these words; they must be all text."""
        self.page.locator("#viewer .message", has_text=words).wait_for()
