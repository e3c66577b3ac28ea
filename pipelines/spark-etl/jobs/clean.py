"""Throw away trips that cannot be: no time, no way, no price, or faster than a car. Writes Parquet, and a summary.

Runs on EMR Serverless. The summary is one object, `summary.json`: that is what the pipeline's condition reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RULES = {
    "no time": "ended_at <= started_at",
    "no way": "distance_km <= 0",
    "no price": "price <= 0",
    "too fast": "distance_km / ((unix_timestamp(ended_at) - unix_timestamp(started_at)) / 3600) > 150",
    "incomplete": "started_at IS NULL OR ended_at IS NULL OR distance_km IS NULL OR price IS NULL",
}
"""Why a trip is thrown away, in SQL. The order does not matter: one that several rules meet counts in each."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="CSV with a header")
    parser.add_argument("--output", required=True, help="where the clean trips go, as Parquet")
    parser.add_argument("--summary", required=True, help="the folder of summary.json")
    return parser.parse_args(arguments)


def clean(trips: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """The trips that can be, and what was thrown away: counts by rule, and the share of all."""
    from pyspark.sql import functions as f

    counts = {name: f.count(f.when(f.expr(rule), 1)).alias(name) for name, rule in RULES.items()}
    wrong = f.coalesce(f.expr(" OR ".join(f"({rule})" for rule in RULES.values())), f.lit(True))
    found = trips.agg(
        f.count(f.lit(1)).alias("all"), f.count(f.when(wrong, 1)).alias("lost"), *counts.values()
    )
    row = found.first().asDict()
    return trips.where(~wrong), summary(row)


def summary(row: dict[str, int]) -> dict[str, Any]:
    """What is written down of the counts."""
    by_rule = {name: row[name] for name in RULES}
    share = row["lost"] / row["all"] if row["all"] else 1.0
    return {"trips": row["all"], "lost": row["lost"], "lost_share": share, "by_rule": by_rule}


def write_summary(uri: str, made: dict[str, Any]) -> None:
    """One object, where Spark would write a folder of parts."""
    import boto3

    place = urlsplit(f"{uri.rstrip('/')}/summary.json")
    body = json.dumps(made, indent=2).encode()
    boto3.client("s3").put_object(Bucket=place.netloc, Key=place.path.lstrip("/"), Body=body)


def main() -> None:
    from pyspark.sql import SparkSession

    given = options()
    spark = SparkSession.builder.appName("clean").getOrCreate()
    schema = "trip_id STRING, zone STRING, started_at TIMESTAMP, ended_at TIMESTAMP, distance_km DOUBLE, price DOUBLE"
    trips = spark.read.csv(given.input, header=True, schema=schema)
    kept, made = clean(trips)
    kept.write.mode("overwrite").parquet(given.output)
    write_summary(given.summary, made)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
