"""The faults that a test server is told to have, one generation at a time."""

from dataclasses import dataclass, field

FAULTS = {
    # before the answer
    "error": "500 with an error's text",
    "empty_error": "500 with no body",
    "damaged": "500 as with damaged weights, of the older generation with no body",
    "busy": "503, as while the model loads and the queue is full",
    "gone_weights": "400, as when the weights are no more on the disk",
    "too_long": "400, as when the prompt does not fit",
    "freeze": "nothing at all, as with a frozen runner; the status routes answer",
    "disconnect": "the connection is closed without an answer",
    "reload": "the model was put out of memory and is loaded again, in load_s",
    # of the answer
    "silence": "two tokens, and then nothing",
    "stream_error": "an error line in the stream",
    "runner_dies": "the same, and the runner is gone: /api/ps lists it until the next request",
    "cut_connection": "the connection is closed in the stream",
    "repeat": "the stream ends well, without a last line, in the middle of the JSON",
    "truncated": "half of the JSON, and `stop`",
    "prose": "no JSON at all, and `stop`",
    "invalid": "JSON that the schema does not allow, and `stop`",
    "whitespace": "the JSON's first brace, and white space up to the limit",
    "length": "half of the JSON, and `length`",
    "overflow": "the whole JSON and `stop`, with counts beyond the context",
    "shift": "an old server: `truncate` and `shift` count for nothing",
}


@dataclass
class Faults:
    """Which faults are still to come, in order; each counts down, and one of -1 stays."""

    waiting: list[tuple[str, int]] = field(default_factory=list)

    def add(self, fault: str, times: int = 1) -> None:
        """Have `fault` for the next `times` generations. Raises ValueError when there is none such."""
        if fault not in FAULTS:
            raise ValueError(f"no fault {fault}; there are {', '.join(FAULTS)}")
        self.waiting.append((fault, times))

    def parse(self, text: str) -> None:
        """Add what the flag says: `NAME`, `NAME*TIMES`, comma-separated."""
        for each in filter(None, text.split(",")):
            name, _, times = each.partition("*")
            self.add(name, int(times or 1))

    def take(self) -> str:
        """The fault of this generation, or an empty string."""
        if not self.waiting:
            return ""
        fault, times = self.waiting[0]
        if times == 1:
            del self.waiting[0]
        elif times > 1:
            self.waiting[0] = (fault, times - 1)
        return fault
