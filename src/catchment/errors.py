"""The tree of errors: each is named for who must act, and carries a hint that can be pasted.

CatchmentError
├── SettingsError            whoever writes catchment.yml
│   ├── ProjectNotFound      whoever chose the folder
│   └── PluginError          whoever wrote or named a plugin
├── DefinitionError          whoever wrote an audience, sync, prediction or schema file
├── GuardError               whoever runs the sync: the plan is larger than its guard allows
├── StalePlan                whoever made the plan: it is not true any more
├── SyncBusy                 whoever else runs the same sync
├── CredentialsError         whoever holds the key
├── LakeError                whoever runs the storage
├── ModelError               whoever trains models
│   └── TooFewExamples       nobody: there is too little to learn from yet
├── PortInUse                whoever runs this machine
└── TransientError           nobody: trying again later is enough
    ├── ProjectBusy          another process is at the same verb of this project
    └── RegistryUnavailable  a schema registry did not answer, so nothing may be judged yet
"""


class CatchmentError(Exception):
    """Something a person must mend. `str()` is the fact with its place; `hint` is the mend."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(CatchmentError):
    """A setting is wrong: the message names file and key."""


class ProjectNotFound(SettingsError):
    """There is no catchment.yml here or above."""


class PluginError(SettingsError):
    """A plugin is unknown, ambiguous or cannot be built."""


class DefinitionError(CatchmentError):
    """An audience, sync, prediction or schema file is wrong: the message names file and place."""


class GuardError(CatchmentError):
    """A plan would take out or change more than its sync allows unasked."""


class SyncBusy(CatchmentError):
    """A sync is being run already."""


class StalePlan(CatchmentError):
    """A plan cannot be done as it was made, because what it was made from has changed."""


class CredentialsError(CatchmentError):
    """A system refused our key."""


class LakeError(CatchmentError):
    """The lake cannot be read or written."""


class ModelError(CatchmentError):
    """A prediction has no champion, or one that cannot be loaded or used."""


class TooFewExamples(ModelError):
    """A model cannot be learned or judged from the people there are yet."""


class PortInUse(CatchmentError):
    """Another program listens where we should."""


class TransientError(CatchmentError):
    """It may work on the next try; nothing was lost."""


class RegistryUnavailable(TransientError):
    """A schema registry did not answer; the batch waits, because good events must not be failed for it."""


class ProjectBusy(TransientError):
    """Another process is at the same verb of this project."""
