"""What can be wrong with a request at the worker, one class for each answer."""


class ProjectUnknown(Exception):
    """No project of this node has that id."""


class EngineUnavailable(Exception):
    """The container engine does not answer right now."""


class TooManyStreams(Exception):
    """This worker serves as many live streams as it may."""


class QueryInvalid(Exception):
    """A query parameter has a value that means nothing. `field` is its name."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
