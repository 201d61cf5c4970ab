"""What a service keeps beside its searches: who may do what, who asked for what, who is alive.

The core knows none of it; these repositories hang on `storage.unit_of_work.SqlUnitOfWork` alone.
"""

from storage.administration.audit import AuditEntry
from storage.administration.exports import Export, ExportStatus
from storage.administration.keys import ApiKey, Role
from storage.administration.processes import Process
from storage.administration.projects import DEFAULT_PROJECT, Project, Quota, Usage

__all__ = [
    "DEFAULT_PROJECT",
    "ApiKey",
    "AuditEntry",
    "Export",
    "ExportStatus",
    "Process",
    "Project",
    "Quota",
    "Role",
    "Usage",
]
