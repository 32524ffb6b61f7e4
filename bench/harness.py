"""The other side of harness.ts: lm-evaluation-harness with transformers on the CPU, in float32.

python harness.py MODEL DATA TASKS LIMIT THREADS BATCH_SIZES CLOCK SOFTMAX PICK
  ->  one line of JSON: for each task the seconds of the fastest batch size, that size, requests and metrics; peak memory in MB

DATA holds the documents, <task>.jsonl. The tasks are the harness's own files with the data set replaced. Timed is `evaluate`: from
documents to metrics, tokenization included; loading model and data is not, and there is no bootstrap.
"""
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

import lm_eval  # noqa: E402
import torch  # noqa: E402
from lm_eval.evaluator import evaluate  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager, get_task_dict  # noqa: E402

FILES = {
    "lambada_openai": ("lambada/lambada_openai.yaml", "test", "lambada_openai.jsonl"),
    "winogrande": ("winogrande/default.yaml", "validation", "winogrande_xl.jsonl"),
    "hellaswag": ("hellaswag/hellaswag.yaml", "validation", "hellaswag.jsonl"),
    "piqa": ("piqa/piqa.yaml", "validation", "piqa.jsonl"),
}


def write_task(folder: Path, name: str, data: Path, limit: int, pick: str) -> None:
    source, split, file = FILES[name]
    excerpt = folder / file
    lines = (data / file).read_text(encoding="utf-8").strip().split("\n")
    excerpt.write_text("\n".join(lines[i if pick == "first" else i * len(lines) // limit] for i in range(limit)), encoding="utf-8")
    yaml = [f"include: {Path(lm_eval.__file__).parent / 'tasks' / source}", f"task: local_{name}", "dataset_path: json", "dataset_name: null"]
    yaml += ["training_split: null", f"{split}_split: {split}", "dataset_kwargs:", "  data_files:", f"    {split}: {excerpt}"]
    yaml += ["validation_split: null"] if split == "test" else []
    (folder / f"{name}.yaml").write_text("\n".join(yaml) + "\n")


def main() -> None:
    model_path, data, tasks, limit, threads, sizes, clock, softmax, pick = sys.argv[1:10]
    read_clock = time.process_time if clock == "cpu" else time.perf_counter
    torch.set_num_threads(int(threads))
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in tasks.split(","):
            write_task(Path(folder), name, Path(data), int(limit), pick)
        manager = TaskManager(include_path=folder)
        model = HFLM(pretrained=model_path, dtype="float32", device="cpu", batch_size=1, softmax_dtype=softmax)
        for name in tasks.split(","):
            best = None
            for size in map(int, sizes.split(",")):
                model.batch_size_per_gpu = size
                task = get_task_dict([f"local_{name}"], manager)
                start = read_clock()
                results = evaluate(lm=model, task_dict=task, bootstrap_iters=0, log_samples=True)
                seconds = read_clock() - start
                if best is None or seconds < best["seconds"]:
                    metrics = {k.split(",")[0]: v for k, v in results["results"][f"local_{name}"].items() if k.endswith(",none") and "stderr" not in k}
                    samples = sorted(results["samples"][f"local_{name}"], key=lambda sample: sample["doc_id"])
                    answers = [answer for sample in samples for answer in sample["filtered_resps"]]
                    scores = {"logLikelihoods": [float(a[0]) for a in answers], "greedy": [str(a[1]) == "True" for a in answers]}
                    best = {"seconds": seconds, "batch": size, "metrics": metrics} | scores
            out[name] = best
    out["peakMegabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(out))


if __name__ == "__main__":
    main()
