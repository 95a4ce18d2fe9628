"""Measures millstream against librdkafka copying bytes, on one broker, in one run.

    python bench/run.py MILLSTREAM COPY BOOTSTRAP [--records N] [--rounds N]

Produces the seeded card transactions once, then alternates: the floor (bench/copy.rs), and
millstream at_least_once with one and with two workers, on the same topic. CPU is user + system of
the client process as the kernel counts it; records/s is over the life of the process, start-up
included. Prints a Markdown table of the medians.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def measure(command, log):
    """Runs a command; returns (wall seconds, CPU seconds, peak RSS in MB)."""
    with open(log, "w", encoding="utf-8") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command[0]} failed:\n" + pathlib.Path(log).read_text(encoding="utf-8"))
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def create(bootstrap, topics):
    script = ROOT / "tests/kafka/broker.sh"
    for topic in topics:
        subprocess.run(
            [script, "tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", bootstrap,
             "--create", "--topic", topic, "--partitions", "4"],
            check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("millstream")
    parser.add_argument("copy")
    parser.add_argument("bootstrap")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="millstream-bench-"))
    log = work / "log"
    source = (ROOT / "config/pipelines/card-features.yaml").read_text(encoding="utf-8")
    schema = ROOT / "config/pipelines/card-transaction.schema.json"
    (work / schema.name).write_bytes(schema.read_bytes())
    create(options.bootstrap, ["card.transactions"])
    subprocess.run(
        [options.millstream, "demo", "--workload", "card", "--kafka", options.bootstrap, "--rate", "0",
         "--records", str(options.records), "--produce-only"], check=True)

    results = {"floor": [], "1 worker": [], "2 workers": []}
    for number in range(options.rounds):
        for name, runs in results.items():
            suffix = f"{name.replace(' ', '-')}-{number}"
            create(options.bootstrap, [f"out-{suffix}", f"dlq-{suffix}"])
            if name == "floor":
                command = [options.copy, options.bootstrap, "card.transactions", f"out-{suffix}"]
            else:
                pipeline = work / f"{suffix}.yaml"
                text = source.replace("pipeline: card-features", f"pipeline: bench-{suffix}")
                text = text.replace("card.features", f"out-{suffix}").replace("card.transactions.dlq", f"dlq-{suffix}")
                pipeline.write_text(text, encoding="utf-8")
                command = [options.millstream, "run", str(pipeline), "--until-end",
                           "--set", f"kafka.bootstrap_servers={options.bootstrap}",
                           "--set", f"workers={name[0]}", "--set", "listen=127.0.0.1:0"]
            runs.append(measure(command, log))
            print(name, number, json.dumps(runs[-1]), file=sys.stderr)

    floor_cpu = statistics.median(cpu for _, cpu, _ in results["floor"])
    floor_wall = statistics.median(wall for wall, _, _ in results["floor"])
    print("| program | records/s | CPU us/record | peak RSS MB | CPU / floor | records/s / floor |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, runs in results.items():
        wall, cpu, rss = (statistics.median(run[i] for run in runs) for i in range(3))
        print(f"| {name} | {options.records / wall:,.0f} | {cpu / options.records * 1e6:.2f} | {rss:.0f} "
              f"| {cpu / floor_cpu:.2f} | {floor_wall / wall:.2f} |")


if __name__ == "__main__":
    main()
