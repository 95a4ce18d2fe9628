"""Three brokers, one of them killed at a time: leaders and coordinators move, nothing else does."""

import pathlib
import time

from .broker import Broker
from .daemon import Binary
from .episode import recover
from .faults import now
from .scene import Plan, Scene
from .verdict import Verdict, finish, new_verdict, timed

BOUND_S = 60.0


def in_sync(scene: Scene) -> bool:
    """Whether every partition of the scene has all its replicas."""
    for topic in (scene.input, scene.output, scene.dead_letter, scene.quality):
        found = scene.client.list_topics(topic, timeout=20).topics[topic].partitions.values()
        if any(len(p.isrs) < scene.plan.replicas or p.leader < 0 for p in found):
            return False
    return True


def run(binary: Binary, home: pathlib.Path, seed: int, pipeline: str) -> Verdict:
    """SIGKILL and restart of each broker in turn, under load."""
    began = time.monotonic()
    with Broker(home / "cluster", nodes=3) as broker:
        plan = Plan("cluster", seed, pipeline, rate=300, partitions=9, replicas=3)
        scene = Scene(plan, broker, binary, home / "scenes")
        verdict = new_verdict(scene)
        try:
            scene.open(seconds=90)
            for node in (1, 2, 3):
                start = now()
                broker.kill(node)
                recover(scene, "SIGKILL of one of three brokers", start, now(), BOUND_S, verdict)
                broker.again(node)
                scene.wait("all replicas in sync", BOUND_S, lambda: in_sync(scene))
            finish(scene, verdict)
        except (TimeoutError, RuntimeError) as error:
            verdict.violations.append(str(error))
        finally:
            scene.close()
    verdict.passed = verdict.clean
    return timed(verdict, began)
