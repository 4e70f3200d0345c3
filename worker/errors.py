"""What can be wrong with a request for logs or numbers, and with what every request needs; one class for each answer."""


class EngineUnavailable(Exception):
    """The container engine does not answer right now."""


class StorageUnwritable(Exception):
    """The worker's data folder takes nothing more; the message is the system's."""


class ContainerGone(Exception):
    """The engine does not know this container any more."""


class TooManyStreams(Exception):
    """This worker serves as many live streams as it may."""


class QueryInvalid(Exception):
    """A query parameter has a value that means nothing: `field` is its name, `fault` what it must be."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault
