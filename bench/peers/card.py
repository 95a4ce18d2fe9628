"""The card-features job of one card, for the peers that are Python: an hour of amounts, one vector per record."""

import math

HOUR_MS = 3_600_000
CATEGORIES = ("grocery", "fuel", "travel", "online", "dining", "cash", "health", "other")


def vector(transaction: dict, held: list) -> dict:
    """Adds the record to the held [event time, amount] pairs of its card, forgets what is too old, gives its vector."""
    now, amount = transaction["ts"], transaction["amount"]
    if amount is not None:
        held.append([now, amount])
    # Out of order by less than the lateness: what is older than that and the hour is needed by nobody.
    while held and held[0][0] < now - HOUR_MS - 5_000:
        del held[0]
    count, total, squares, mean, most = 0, 0.0, 0.0, 0.0, None
    for time, value in held:
        if now - HOUR_MS <= time <= now:
            count += 1
            total += value
            delta = value - mean
            mean += delta / count
            squares += delta * (value - mean)
            most = value if most is None or value > most else most
    return {
        "tx_id": transaction["tx_id"],
        "card_id": transaction["card_id"],
        "ts": now,
        "amount": amount,
        "amount_count_1h": count,
        "amount_sum_1h": total,
        "amount_mean_1h": total / count if count else None,
        "amount_std_1h": math.sqrt(squares / (count - 1)) if count > 1 else None,
        "amount_max_1h": most,
        "log_amount": None if amount is None else math.log(amount + 1),
        "lat_sin": math.sin(transaction["lat"] / 10),
        "lon": transaction["lon"],
        **{f"category_{name}": int(transaction["category"] == name) for name in CATEGORIES},
        "is_web": int(transaction["channel"] == "web"),
    }
