SELECT DISTINCT
  `t46`.`person_id`
FROM (
  SELECT
    `t45`.`person_id`,
    `t45`.`country`,
    `t45`.`mkt_medium`,
    `t45`.`sessions`,
    `t45`.`engaged_time_in_s`,
    `t45`.`converted`,
    `t45`.`last_seen_tstamp`,
    `t45`.`_fact0`,
    `t45`.`_fact1`,
    `t45`.`_fact2`,
    `t45`.`_fact3`,
    `t45`.`_fact4`,
    `t45`.`_place`,
    `t45`.`_all`,
    ROW_NUMBER() OVER (ORDER BY MD5(`t45`.`person_id`) ASC NULLS LAST, `t45`.`person_id` ASC NULLS LAST) - 1 AS `_draw`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t43`.`person_id`,
        `t43`.`country`,
        `t43`.`mkt_medium`,
        `t43`.`sessions`,
        `t43`.`engaged_time_in_s`,
        `t43`.`converted`,
        `t43`.`last_seen_tstamp`,
        `t43`.`_fact0`,
        `t43`.`_fact1`,
        `t43`.`_fact2`,
        `t43`.`_fact3`,
        `t43`.`_fact4`,
        ROW_NUMBER() OVER (ORDER BY `t43`.`engaged_time_in_s` DESC, `t43`.`person_id` ASC NULLS LAST) - 1 AS `_place`,
        COUNT(*) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS `_all`
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t14`.`person_id`,
            `t14`.`country`,
            `t14`.`mkt_medium`,
            `t14`.`sessions`,
            `t14`.`engaged_time_in_s`,
            `t14`.`converted`,
            `t14`.`last_seen_tstamp`,
            `t32`.`_fact0`,
            `t36`.`_fact1`,
            `t41`.`_fact2`,
            `t23`.`_fact3`,
            `t20`.`_fact4`
          FROM (
            SELECT
              *
            FROM `people` AS `t0`
            WHERE
              `t0`.`person_id` IS NOT NULL
          ) AS `t14`
          LEFT OUTER JOIN (
            SELECT
              `t28`.`_whose` AS `_fact0_key`,
              `t28`.`_fact` AS `_fact0`
            FROM (
              SELECT
                `t24`.`_whose`,
                COUNT(DISTINCT `t24`.`product`) AS `_fact`
              FROM (
                SELECT
                  `t7`.`order_id`,
                  `t7`.`product`,
                  `t16`.`_whose`
                FROM `order_lines` AS `t7`
                INNER JOIN (
                  SELECT
                    `t4`.`customer` AS `_whose`,
                    `t4`.`order_id` AS `_on_0`
                  FROM `orders` AS `t4`
                  WHERE
                    `t4`.`customer` IS NOT NULL
                ) AS `t16`
                  ON `t7`.`order_id` = `t16`.`_on_0`
              ) AS `t24`
              GROUP BY
                1
            ) AS `t28`
          ) AS `t32`
            ON `t14`.`person_id` = `t32`.`_fact0_key`
          LEFT OUTER JOIN (
            SELECT
              `t33`.`_whose` AS `_fact1_key`,
              `t33`.`_fact` AS `_fact1`
            FROM (
              SELECT
                `t30`.`_whose`,
                SUM(`t30`.`_fact`) AS `_fact`
              FROM (
                SELECT
                  COALESCE(`t12`.`_name`, `t26`.`_whose`) AS `_whose`,
                  `t26`.`_fact`
                FROM (
                  SELECT
                    `t21`.`_whose`,
                    COUNT(*) AS `_fact`
                  FROM (
                    SELECT
                      `t13`.`_id`,
                      MAX(`t13`.`_whose`) AS `_whose`,
                      MIN(`t13`.`_at`) AS `_at`
                    FROM (
                      SELECT
                        `t6`.`domain_userid` AS `_whose`,
                        `t6`.`derived_tstamp` AS `_at`,
                        `t6`.`event_id` AS `_id`
                      FROM `events` AS `t6`
                      WHERE
                        `t6`.`event_name` IN ('page_view')
                        AND `t6`.`domain_userid` IS NOT NULL
                        AND `t6`.`derived_tstamp` BETWEEN CAST('2026-04-24T12:00:00+00:00' AS TIMESTAMP) AND CAST('2026-05-01T12:00:00+00:00' AS TIMESTAMP)
                    ) AS `t13`
                    GROUP BY
                      1
                  ) AS `t21`
                  GROUP BY
                    1
                ) AS `t26`
                LEFT OUTER JOIN (
                  SELECT
                    `t5`.`domain_userid` AS `_known`,
                    `t5`.`person_id` AS `_name`
                  FROM `user_mapping` AS `t5`
                ) AS `t12`
                  ON `t26`.`_whose` = `t12`.`_known`
              ) AS `t30`
              GROUP BY
                1
            ) AS `t33`
          ) AS `t36`
            ON `t14`.`person_id` = `t36`.`_fact1_key`
          LEFT OUTER JOIN (
            SELECT
              `t39`.`_whose` AS `_fact2_key`,
              1 AS `_fact2`
            FROM (
              SELECT DISTINCT
                `t38`.`_whose`
              FROM (
                SELECT
                  `t37`.`_whose`,
                  `t37`.`_at`,
                  `t37`.`_step0`,
                  `t37`.`_step1`,
                  `t37`.`_reached`
                  AND (
                    (
                      `t37`.`_at` + INTERVAL '172800' SECOND
                    ) <= CAST('2026-05-01T12:00:00+00:00' AS TIMESTAMP)
                  )
                  AND (
                    (
                      `t37`.`_after` IS NULL
                    )
                    OR (
                      `t37`.`_after` > (
                        `t37`.`_at` + INTERVAL '172800' SECOND
                      )
                    )
                  ) AS `_reached`,
                  `t37`.`_after`
                FROM (
                  SELECT
                    `t34`.`_whose`,
                    `t34`.`_at`,
                    `t34`.`_step0`,
                    `t34`.`_step1`,
                    `t34`.`_reached`,
                    MIN(IF(`t34`.`_step1` = 1, `t34`.`_at`, CAST(NULL AS TIMESTAMP))) OVER (
                      PARTITION BY `t34`.`_whose`
                      ORDER BY `t34`.`_at` ASC NULLS LAST
                      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                    ) AS `_after`
                  FROM (
                    SELECT
                      `t31`.`_whose`,
                      `t31`.`_at`,
                      `t31`.`_step0`,
                      `t31`.`_step1`,
                      `t31`.`_step0` = 1 AS `_reached`
                    FROM (
                      SELECT
                        `t27`.`_whose`,
                        `t27`.`_at`,
                        MAX(`t27`.`_step0`) AS `_step0`,
                        MAX(`t27`.`_step1`) AS `_step1`
                      FROM (
                        SELECT
                          COALESCE(`t12`.`_name`, `t22`.`_whose`) AS `_whose`,
                          `t22`.`_at`,
                          `t22`.`_step0`,
                          `t22`.`_step1`
                        FROM (
                          SELECT
                            `t6`.`domain_userid` AS `_whose`,
                            `t6`.`derived_tstamp` AS `_at`,
                            CAST(COALESCE(`t6`.`event_name` IN ('page_view'), FALSE) AS BIGINT) AS `_step0`,
                            CAST(COALESCE(`t6`.`event_name` IN ('signup'), FALSE) AS BIGINT) AS `_step1`
                          FROM `events` AS `t6`
                          WHERE
                            `t6`.`domain_userid` IS NOT NULL
                            AND `t6`.`derived_tstamp` IS NOT NULL
                            AND (
                              COALESCE(`t6`.`event_name` IN ('page_view'), FALSE)
                              OR COALESCE(`t6`.`event_name` IN ('signup'), FALSE)
                            )
                        ) AS `t22`
                        LEFT OUTER JOIN (
                          SELECT
                            `t5`.`domain_userid` AS `_known`,
                            `t5`.`person_id` AS `_name`
                          FROM `user_mapping` AS `t5`
                        ) AS `t12`
                          ON `t22`.`_whose` = `t12`.`_known`
                      ) AS `t27`
                      GROUP BY
                        1,
                        2
                    ) AS `t31`
                  ) AS `t34`
                ) AS `t37`
              ) AS `t38`
              WHERE
                `t38`.`_reached`
            ) AS `t39`
          ) AS `t41`
            ON `t14`.`person_id` = `t41`.`_fact2_key`
          LEFT OUTER JOIN (
            SELECT
              `t15`.`_whose` AS `_fact3_key`,
              1 AS `_fact3`
            FROM (
              SELECT DISTINCT
                `t1`.`person_id` AS `_whose`
              FROM `propensity_scores` AS `t1`
              WHERE
                `t1`.`prediction` = 'signup' AND COALESCE(`t1`.`decile` >= 9, FALSE)
            ) AS `t15`
          ) AS `t23`
            ON `t14`.`person_id` = `t23`.`_fact3_key`
          LEFT OUTER JOIN (
            SELECT
              `t10`.`_whose` AS `_fact4_key`,
              1 AS `_fact4`
            FROM (
              SELECT DISTINCT
                `t2`.`person_id` AS `_whose`
              FROM `audience_members` AS `t2`
              WHERE
                `t2`.`audience` = 'other' AND `t2`.`left_at` IS NULL
            ) AS `t10`
          ) AS `t20`
            ON `t14`.`person_id` = `t20`.`_fact4_key`
        ) AS `t42`
        WHERE
          NOT (
            COALESCE(`t42`.`country` IN ('DE', 'it\'s'), FALSE)
          )
          AND COALESCE(`t42`.`last_seen_tstamp` >= CAST('2026-04-01T12:00:00+00:00' AS TIMESTAMP), FALSE)
          AND COALESCE(COALESCE(`t42`.`_fact0`, 0) >= 2, FALSE)
          AND COALESCE(COALESCE(`t42`.`_fact1`, 0) >= 3, FALSE)
          AND COALESCE(`t42`.`_fact2`, 0) = 1
          AND (
            (
              COALESCE(`t42`.`_fact3`, 0) = 1
            )
            OR NOT (
              COALESCE(`t42`.`_fact4`, 0) = 1
            )
          )
      ) AS `t43`
    ) AS `t44`
    WHERE
      `t44`.`_place` < CAST(CEIL(`t44`.`_all` * 0.1) AS BIGINT)
  ) AS `t45`
) AS `t46`
WHERE
  `t46`.`_draw` < 1000
