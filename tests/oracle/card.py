"""Every vector of config/pipelines/card-features.yaml, computed independently of the engine.

    python card.py --input in.jsonl --output out.jsonl --rejected dlq.jsonl

The forms of the files are those of stream.py.
"""

import math

import stream
import windows

CATEGORIES = ["grocery", "fuel", "travel", "online", "dining", "cash", "health", "other"]


def event_time(transaction):
    return transaction["ts"] * 1_000


def vector(transaction, amounts):
    """The vector of a transaction whose window holds `amounts`, the nulls left out."""
    amount = transaction["amount"]
    return {
        "tx_id": transaction["tx_id"],
        "card_id": transaction["card_id"],
        "ts": transaction["ts"],
        "amount": amount,
        "amount_count_1h": windows.count(amounts),
        "amount_sum_1h": windows.total(amounts),
        "amount_mean_1h": windows.mean(amounts),
        "amount_std_1h": windows.std(amounts),
        "amount_max_1h": windows.greatest(amounts),
        "log_amount": None if amount is None else math.log(amount + 1),
        "lat_sin": math.sin(transaction["lat"] / 10),
        "lon": transaction["lon"],
        **{f"category_{name}": int(transaction["category"] == name) for name in CATEGORIES},
        "is_web": int(transaction["channel"] == "web"),
    }


def vectors(records):
    """Yields (offset, vector) of the records of one partition."""
    for group in stream.by_key(records, lambda value: value["card_id"]).values():
        events = windows.Events([r.time for r in group], [r.offset for r in group])
        amounts = events.column([r.value["amount"] for r in group])
        for index, places in zip(events.order, events.windows(stream.HOUR, closed="both")):
            record = group[index]
            yield record.offset, vector(record.value, windows.present(amounts[places]))


if __name__ == "__main__":
    stream.main(__doc__, "5s", event_time, vectors)
