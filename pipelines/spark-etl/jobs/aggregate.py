"""Turn trips into features of each zone and hour: CSV without a header, the next hour's demand first.

Runs on an EMR cluster. The last fifth of the time is for validation: a model that predicts is measured on what came later.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = ("demand_next", "demand", "demand_before", "hour", "weekday", "distance_km", "price_per_km")
"""What a row holds, the target first: the form that SageMaker's XGBoost reads."""
VALIDATION = 0.2


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="clean trips, as Parquet")
    parser.add_argument("--output", required=True, help="where part=train and part=validation go")
    return parser.parse_args(arguments)


def features(trips: DataFrame) -> DataFrame:
    """A row for each zone and hour, with the hours around it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    hours = (
        trips.withColumn("at", f.date_trunc("hour", "started_at"))
        .groupBy("zone", "at")
        .agg(
            f.count(f.lit(1)).alias("demand"),
            f.avg("distance_km").alias("distance_km"),
            (f.sum("price") / f.sum("distance_km")).alias("price_per_km"),
        )
    )
    along = Window.partitionBy("zone").orderBy("at")
    return (
        hours.withColumn("demand_next", f.lead("demand").over(along))
        .withColumn("demand_before", f.lag("demand").over(along))
        .withColumn("hour", f.hour("at"))
        .withColumn("weekday", f.dayofweek("at"))
        .dropna()
    )


def split(rows: DataFrame) -> DataFrame:
    """`part` says what a row is for."""
    from pyspark.sql import functions as f

    border = rows.select(f.percentile_approx(f.unix_timestamp("at"), 1 - VALIDATION)).first()[0]
    later = f.unix_timestamp("at") > border
    return rows.withColumn("part", f.when(later, "validation").otherwise("train"))


def main() -> None:
    from pyspark.sql import SparkSession

    given = options()
    spark = SparkSession.builder.appName("aggregate").getOrCreate()
    rows = split(features(spark.read.parquet(given.input)))
    rows.select(*COLUMNS, "part").write.mode("overwrite").partitionBy("part").csv(given.output)


if __name__ == "__main__":
    main()
