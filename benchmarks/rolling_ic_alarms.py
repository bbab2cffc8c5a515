"""How often the rolling IC raises an alarm: models that hold, and models that no longer do.

    python benchmarks/rolling_ic_alarms.py

Each model makes one prediction a minute for 30 days; score and return are normal and of heavy tails
(t with 4 degrees of freedom), with a given correlation. Every 50 predictions ``ic_findings`` judges
the latest 1,024 under the default settings, as a session's monitor does.
"""

import argparse

import numpy as np

from alphaseeker.config import MonitoringConfig
from alphaseeker.inference.drift_findings import ic_findings
from alphaseeker.inference.realised import PAIRS
from alphaseeker.inference.rolling_ic import rolling_ic

CASES = [(0.05, 0.05), (0.1, 0.1), (0.3, 0.3), (0.0, 0.1), (0.0, 0.3), (-0.1, 0.1), (0.0, 0.0)]
EVERY = 50


def first_alarm(true: float, expected: float, predictions: int, seed: int) -> int:
    """Return after how many predictions the first alarm comes; 0 for none."""
    random = np.random.default_rng(seed)
    scores = 0.1 * random.normal(size=predictions)
    noise = random.standard_t(4, size=predictions) / np.sqrt(2.0)
    returns = true * scores / 0.1 + np.sqrt(1.0 - true**2) * noise
    for end in range(MonitoringConfig().MIN_RESOLVED, predictions, EVERY):
        begin = max(0, end - PAIRS)
        record = {
            "resolved": end - begin,
            "scores": scores[begin:end],
            "returns": returns[begin:end],
        }
        rolling = {**rolling_ic({"": record}), "expected": expected}
        if ic_findings(rolling, MonitoringConfig()):
            return end
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    print("IC now  IC in training  models with an alarm  median predictions until it")
    for true, expected in CASES:
        found = [first_alarm(true, expected, 1_440 * asked.days, s) for s in range(asked.models)]
        alarms = [after for after in found if after]
        median = f"{np.median(alarms):.0f}" if alarms else "-"
        print(
            f"{true:+6.2f}  {expected:+14.2f}  {len(alarms):>7} of {asked.models:<10}  {median:>7}",
            flush=True,
        )


if __name__ == "__main__":
    main()
