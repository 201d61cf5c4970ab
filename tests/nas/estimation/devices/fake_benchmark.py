"""Plays onnxruntime_perf_test on the fake phone: started as a program by the tests, never imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

arguments = sys.argv[1:]
calls = int(arguments[arguments.index("-r") + 1])
model, result = (word for word in arguments if word.endswith((".onnx", ".csv")))
mood = Path("../../mood.txt").read_text() if Path("../../mood.txt").exists() else ""
if mood == "refuses":
    print("Load model from model.onnx failed: Fatal error: Foo is not a registered function/op", file=sys.stderr)
    sys.exit(255)
assert Path(model).stat().st_size > 0
if mood != "garbage":
    lines = [f"graph,{0.004 + 0.0001 * call},271122432,11,{call}" for call in range(calls)]
    Path(result).write_text("\n".join(lines) + "\n")
print("\x00\x01??" if mood == "garbage" else "Session creation time cost: 0.2 s")
if "-p" in arguments:
    events = []
    for _ in range(calls + 1):
        for name, operator, provider in (
            ("/conv/Conv", "Conv", "QNN"),
            ("/norm/Norm", "InstanceNormalization", "CPU"),
        ):
            facts = {"op_name": operator, "provider": f"{provider}ExecutionProvider"}
            events.append({"cat": "Node", "name": f"{name}_kernel_time", "dur": 1500, "args": facts})
    Path("profile_2026-11-30.json").write_text(json.dumps(events))
