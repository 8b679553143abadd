SELECT DISTINCT
  "t45"."person_id"
FROM (
  SELECT
    "t44"."person_id",
    "t44"."country",
    "t44"."mkt_medium",
    "t44"."sessions",
    "t44"."engaged_time_in_s",
    "t44"."converted",
    "t44"."last_seen_tstamp",
    "t44"."_fact0",
    "t44"."_fact1",
    "t44"."_fact2",
    "t44"."_fact3",
    "t44"."_fact4",
    "t44"."_place",
    "t44"."_all",
    ROW_NUMBER() OVER (ORDER BY MD5("t44"."person_id") ASC, "t44"."person_id" ASC) - 1 AS "_draw"
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "t42"."person_id",
        "t42"."country",
        "t42"."mkt_medium",
        "t42"."sessions",
        "t42"."engaged_time_in_s",
        "t42"."converted",
        "t42"."last_seen_tstamp",
        "t42"."_fact0",
        "t42"."_fact1",
        "t42"."_fact2",
        "t42"."_fact3",
        "t42"."_fact4",
        ROW_NUMBER() OVER (ORDER BY "t42"."engaged_time_in_s" DESC NULLS LAST, "t42"."person_id" ASC) - 1 AS "_place",
        COUNT(*) OVER (ORDER BY NULL ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS "_all"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "t14"."person_id",
            "t14"."country",
            "t14"."mkt_medium",
            "t14"."sessions",
            "t14"."engaged_time_in_s",
            "t14"."converted",
            "t14"."last_seen_tstamp",
            "t32"."_fact0",
            "t35"."_fact1",
            "t40"."_fact2",
            "t23"."_fact3",
            "t20"."_fact4"
          FROM (
            SELECT
              *
            FROM "people" AS "t0"
            WHERE
              "t0"."person_id" IS NOT NULL
          ) AS "t14"
          LEFT OUTER JOIN (
            SELECT
              "t28"."_whose" AS "_fact0_key",
              "t28"."_fact" AS "_fact0"
            FROM (
              SELECT
                "t24"."_whose",
                COUNT(DISTINCT "t24"."product") AS "_fact"
              FROM (
                SELECT
                  "t7"."order_id",
                  "t7"."product",
                  "t16"."_whose"
                FROM "order_lines" AS "t7"
                INNER JOIN (
                  SELECT
                    "t4"."customer" AS "_whose",
                    "t4"."order_id" AS "_on_0"
                  FROM "orders" AS "t4"
                  WHERE
                    "t4"."customer" IS NOT NULL
                ) AS "t16"
                  ON "t7"."order_id" = "t16"."_on_0"
              ) AS "t24"
              GROUP BY
                1
            ) AS "t28"
          ) AS "t32"
            ON "t14"."person_id" = "t32"."_fact0_key"
          LEFT OUTER JOIN (
            SELECT
              "t33"."_whose" AS "_fact1_key",
              "t33"."_fact" AS "_fact1"
            FROM (
              SELECT
                "t30"."_whose",
                SUM("t30"."_fact") AS "_fact"
              FROM (
                SELECT
                  COALESCE("t12"."_name", "t26"."_whose") AS "_whose",
                  "t26"."_fact"
                FROM (
                  SELECT
                    "t21"."_whose",
                    COUNT(*) AS "_fact"
                  FROM (
                    SELECT
                      "t13"."_id",
                      MAX("t13"."_whose") AS "_whose",
                      MIN("t13"."_at") AS "_at"
                    FROM (
                      SELECT
                        "t6"."domain_userid" AS "_whose",
                        "t6"."derived_tstamp" AS "_at",
                        "t6"."event_id" AS "_id"
                      FROM "events" AS "t6"
                      WHERE
                        "t6"."event_name" IN ('page_view')
                        AND "t6"."domain_userid" IS NOT NULL
                        AND "t6"."derived_tstamp" BETWEEN TIMESTAMP_TZ_FROM_PARTS(2026, 4, 24, 12, 0, 0, 0, 'UTC') AND TIMESTAMP_TZ_FROM_PARTS(2026, 5, 1, 12, 0, 0, 0, 'UTC')
                    ) AS "t13"
                    GROUP BY
                      1
                  ) AS "t21"
                  GROUP BY
                    1
                ) AS "t26"
                LEFT OUTER JOIN (
                  SELECT
                    "t5"."domain_userid" AS "_known",
                    "t5"."person_id" AS "_name"
                  FROM "user_mapping" AS "t5"
                ) AS "t12"
                  ON "t26"."_whose" = "t12"."_known"
              ) AS "t30"
              GROUP BY
                1
            ) AS "t33"
          ) AS "t35"
            ON "t14"."person_id" = "t35"."_fact1_key"
          LEFT OUTER JOIN (
            SELECT
              "t38"."_whose" AS "_fact2_key",
              1 AS "_fact2"
            FROM (
              SELECT DISTINCT
                "t37"."_whose"
              FROM (
                SELECT
                  "t36"."_whose",
                  "t36"."_at",
                  "t36"."_step0",
                  "t36"."_step1",
                  "t36"."_reached"
                  AND (
                    "t36"."_at" <= TIMESTAMP_TZ_FROM_PARTS(2026, 4, 29, 12, 0, 0, 0, 'UTC')
                  )
                  AND (
                    (
                      "t36"."_after" IS NULL
                    )
                    OR (
                      "t36"."_after" > DATEADD(SECOND, '172800', "t36"."_at")
                    )
                  ) AS "_reached",
                  "t36"."_after"
                FROM (
                  SELECT
                    "t31"."_whose",
                    "t31"."_at",
                    "t31"."_step0",
                    "t31"."_step1",
                    "t31"."_reached",
                    MIN(IFF("t31"."_step1" = 1, "t31"."_at", CAST(NULL AS TIMESTAMPTZ))) OVER (
                      PARTITION BY "t31"."_whose"
                      ORDER BY "t31"."_at" ASC, "t31"."_step1" DESC NULLS LAST
                      ROWS BETWEEN 1 following AND UNBOUNDED FOLLOWING
                    ) AS "_after"
                  FROM (
                    SELECT
                      "t27"."_whose",
                      "t27"."_at",
                      "t27"."_step0",
                      "t27"."_step1",
                      "t27"."_step0" = 1 AS "_reached"
                    FROM (
                      SELECT
                        COALESCE("t12"."_name", "t22"."_whose") AS "_whose",
                        "t22"."_at",
                        "t22"."_step0",
                        "t22"."_step1"
                      FROM (
                        SELECT
                          "t6"."domain_userid" AS "_whose",
                          "t6"."derived_tstamp" AS "_at",
                          CAST(COALESCE("t6"."event_name" IN ('page_view'), FALSE) AS BIGINT) AS "_step0",
                          CAST(COALESCE("t6"."event_name" IN ('signup'), FALSE) AS BIGINT) AS "_step1"
                        FROM "events" AS "t6"
                        WHERE
                          "t6"."domain_userid" IS NOT NULL
                          AND "t6"."derived_tstamp" IS NOT NULL
                          AND (
                            COALESCE("t6"."event_name" IN ('page_view'), FALSE)
                            OR COALESCE("t6"."event_name" IN ('signup'), FALSE)
                          )
                      ) AS "t22"
                      LEFT OUTER JOIN (
                        SELECT
                          "t5"."domain_userid" AS "_known",
                          "t5"."person_id" AS "_name"
                        FROM "user_mapping" AS "t5"
                      ) AS "t12"
                        ON "t22"."_whose" = "t12"."_known"
                    ) AS "t27"
                  ) AS "t31"
                ) AS "t36"
              ) AS "t37"
              WHERE
                "t37"."_reached"
            ) AS "t38"
          ) AS "t40"
            ON "t14"."person_id" = "t40"."_fact2_key"
          LEFT OUTER JOIN (
            SELECT
              "t15"."_whose" AS "_fact3_key",
              1 AS "_fact3"
            FROM (
              SELECT DISTINCT
                "t1"."person_id" AS "_whose"
              FROM "propensity_scores" AS "t1"
              WHERE
                "t1"."prediction" = 'signup' AND COALESCE("t1"."decile" >= 9, FALSE)
            ) AS "t15"
          ) AS "t23"
            ON "t14"."person_id" = "t23"."_fact3_key"
          LEFT OUTER JOIN (
            SELECT
              "t10"."_whose" AS "_fact4_key",
              1 AS "_fact4"
            FROM (
              SELECT DISTINCT
                "t2"."person_id" AS "_whose"
              FROM "audience_members" AS "t2"
              WHERE
                "t2"."audience" = 'other' AND "t2"."left_at" IS NULL
            ) AS "t10"
          ) AS "t20"
            ON "t14"."person_id" = "t20"."_fact4_key"
        ) AS "t41"
        WHERE
          NOT (
            COALESCE("t41"."country" IN ('DE', 'it\'s'), FALSE)
          )
          AND COALESCE(
            "t41"."last_seen_tstamp" >= TIMESTAMP_TZ_FROM_PARTS(2026, 4, 1, 12, 0, 0, 0, 'UTC'),
            FALSE
          )
          AND COALESCE(COALESCE("t41"."_fact0", 0) >= 2, FALSE)
          AND COALESCE(COALESCE("t41"."_fact1", 0) >= 3, FALSE)
          AND COALESCE("t41"."_fact2", 0) = 1
          AND (
            (
              COALESCE("t41"."_fact3", 0) = 1
            )
            OR NOT (
              COALESCE("t41"."_fact4", 0) = 1
            )
          )
      ) AS "t42"
    ) AS "t43"
    WHERE
      "t43"."_place" < CAST(CEIL("t43"."_all" * 0.1) AS BIGINT)
  ) AS "t44"
) AS "t45"
WHERE
  "t45"."_draw" < 1000
