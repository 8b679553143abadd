"""A project folder and its verbs; the only package that knows more than one stage.

One file of verbs per stage. A verb imports its stage when it is called: MLflow and dbt take seconds to import and
`catchment collect` needs neither.
"""

from catchment.project.events import Drained
from catchment.project.project import Project, examples_folder

__all__ = ["Drained", "Project", "examples_folder"]
