"""The few messages of Qualcomm AI Hub Workbench's protocol that a measurement needs, as protocol buffers.

Numbers and names are those of the service's own client, `qai-hub` 0.56. That client cannot be installed beside this
package: it wants protobuf up to 6.31.1, which is older than what the ONNX exporter's pins resolve to. Fields that are
not listed are skipped when read and not sent. Enumerations are plain numbers here; both look alike on the wire.
"""

from __future__ import annotations

from functools import cache
from typing import Any

PROTOCOL_VERSION = "0.56.0"
"""Version of the service's client whose protocol this is."""

ONNX = 6
CREATED, DONE, FAILED, PROVISIONING = 1, 10, 30, 60
UNITS = {1: "CPU", 2: "GPU", 3: "NPU"}
TRANSIENT_FAILURES = {
    1000: "internal, unknown",
    1001: "internal, logic",
    2000: "runtime, unknown",
    2001: "runtime crashed",
    2002: "device out of disk",
    2003: "dependency failed",
    2100: "cloud API",
    2101: "cloud resource missing",
    2200: "device cloud API",
    12102: "cloud throttled",
    21000: "service busy",
}
"""Kinds of a job's failure that say something about the service and nothing about the network."""

FIELDS = {
    "CreateUpdateResponse": "1 string id, 2 string status",
    "FileMultipartUploadURL": "1 *string urls, 2 string upload_id, 3 uint64 max_part_size",
    "FileMultipartUploadComplete": "1 string upload_id, 2 *string etags",
    "Device": "1 string name, 2 string os, 3 *string attributes, 4 string soc_description",
    "DeviceList": "1 *Device devices, 2 uint64 total_query_count",
    "Framework": "1 string name, 2 string api_version, 3 *string api_tags, 4 string full_version",
    "FrameworkList": "1 *Framework frameworks, 2 uint64 total_query_count",
    "Model": "1 string model_id, 3 string name, 5 int32 model_type",
    "CompileJob": "1 string compile_job_id, 4 Model model, 5 int32 job_state, 6 Device device, 7 DeviceList devices, "
    "9 string name, 10 string options, 11 string failure_reason, 12 Model target_model",
    "ProfileJob": "1 string profile_job_id, 4 Model model, 5 int32 job_state, 6 Device device, "
    "12 string failure_reason, 14 string name, 15 string options",
    "Job": "1 ProfileJob profile_job, 4 CompileJob compile_job, 9 int32 failure_type",
    "LayerDetail": "1 string name, 2 int32 compute_unit, 3 string layer_type_name, 4 string id, "
    "7 uint64 execution_time, 10 uint64 execution_cycles",
    "ToolVersion": "1 string name, 2 string version",
    "ProfileDetail": "1 uint64 execution_time, 4 *LayerDetail layer_details, 5 uint64 major_version, "
    "6 uint64 minor_version, 33 *uint64 all_execution_times, 36 *ToolVersion tool_versions",
    "ProfileJobResult": "1 string profile_job_id, 2 ProfileDetail profile",
    "JobResult": "1 ProfileJobResult profile_job_result",
}
"""Name of a message to its fields: number, type (`*` if repeated) and name."""


def message(name: str) -> Any:
    """Class of a message."""
    return _classes()[name]


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": kinds.TYPE_STRING, "uint64": kinds.TYPE_UINT64, "int32": kinds.TYPE_INT32}
    file = descriptor_pb2.FileDescriptorProto(name="blocksmith_qai_hub.proto", package="qai_hub.api", syntax="proto3")
    for name, fields in FIELDS.items():
        described = file.message_type.add(name=name)
        for number, kind, field in (entry.split() for entry in fields.split(", ")):
            bare = kind.lstrip("*")
            described.field.add(
                name=field,
                number=int(number),
                label=kinds.LABEL_REPEATED if kind != bare else kinds.LABEL_OPTIONAL,
                type=scalars.get(bare, kinds.TYPE_MESSAGE),
                type_name=None if bare in scalars else f".qai_hub.api.{bare}",
            )
    # A pool of its own: the service's client, where it is installed, describes messages of the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"qai_hub.api.{name}")) for name in FIELDS
    }
