"""The card-features job in Quix Streams: a stateful function per card.

    quix.py BOOTSTRAP GROUP INPUT OUTPUT GUARANTEE STATE_DIR
"""

import sys

from card import vector
from quixstreams import Application, State


def features(transaction: dict, state: State) -> dict:
    held = state.get("held", [])
    made = vector(transaction, held)
    state.set("held", held)
    return made


def main() -> None:
    bootstrap, group, source, target, guarantee, state_dir = sys.argv[1:]
    application = Application(
        broker_address=bootstrap, consumer_group=group, auto_offset_reset="earliest", state_dir=state_dir,
        processing_guarantee=guarantee.replace("_", "-"), auto_create_topics=True, loglevel="WARNING",
        commit_interval=1.0, producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
    )
    stream = application.dataframe(application.topic(source, value_deserializer="json", key_deserializer="str"))
    stream = stream.apply(features, stateful=True)
    stream.to_topic(application.topic(target, value_serializer="json", key_serializer="str"))
    application.run()


if __name__ == "__main__":
    main()
