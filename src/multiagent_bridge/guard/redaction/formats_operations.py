"""Token formats of observability, databases, analytics and tokens of common form, from the providers' own documentation and from tokens they issue.

Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

ROWS: tuple[tuple[str, ...], ...] = (
    (
        "grafana-key", "GRAFANA_KEY", "eyJrIjoi{s50+}",
        "FBl9P2wjwccPQwMyVTMqPkP3FOnLv7KxPm29UrynyMcuaC4Llr",
        "zOYCTYrHiXXVgRUMj1PFjlRvwWOUjIgWT8UDBcyKZ6yFTi1K6",
    ),
    ("grafana-cloud", "GRAFANA_KEY", "glc_{s30+}", "yxvH69cBN7RQmLCclK0V9RAAzymSUb", "Y7JtPeitpayn4v3P1L6j9nyTQHVOY"),
    (
        "grafana-service", "GRAFANA_KEY", "glsa_{w36+}",
        "IMGU9StgdUJCkN24ArKki6PB0252jU4WGPjb",
        "rouRJBtoZSBf4vwyaD6zNAKdTFCqjVuQOJi",
    ),
    ("newrelic-user", "NEWRELIC_KEY", "NRAK-{b24+}", "7T5TFCSmpx5Z6HExiHL8yTS4", "G76PzVI8Lh5hKZIdQKqFYdb"),
    ("newrelic-admin", "NEWRELIC_KEY", "NRAA-{b20+}", "KUYFUT1qnyj0RX4LXokr", "qRbHOeOWfMLaOQYjQi4"),
    ("newrelic-insert", "NEWRELIC_KEY", "NRII-{t24+}", "UGOGThVEnmCWZVYFl5w0spcY", "EubT8PU76dfyzKJapYksDYp"),
    ("newrelic-query", "NEWRELIC_KEY", "NRIQ-{t24+}", "h6OE9zGw43jCzXNltQk96U5K", "M9S3hQOqJStOzfYKp5NVcqm"),
    (
        "newrelic-rest", "NEWRELIC_KEY", "NRRA-{b30+}",
        "9X1CobF2nhYDC8cGAf0idVWz60Fc2F",
        "wLeYqSyRezKe1Zaxk1WWgTVv4X4Ga",
    ),
    ("newrelic-browser", "NEWRELIC_KEY", "NRJS-{b16+}", "Ka9Syvpxpx7vOHjs", "UnYCEjkJ9mFXMON"),
    ("newrelic-browser-ingest", "NEWRELIC_KEY", "NRBR-{b16+}", "BqM3ZswWC5vIIDy7", "AvQaVG3FpN6Cm6S"),
    ("newrelic-synthetics", "NEWRELIC_KEY", "NRSP-{b16+}", "PvlAlZoDiuxw4V3R", "PAogTwH94EBNCZH"),
    ("newrelic-licence", "NEWRELIC_KEY", "{l32-40}NRAL", "", "x", "", "3w3krte697wz0dxy872zhc9qzqyi7qkr"),
    (
        "newrelic-pixie-key", "NEWRELIC_KEY", "px-api-{h8}-{t24+}",
        "FA3d5E91-u0WOwuPW49iy0tZsZ0mNw8N0",
        "C761A1a2-QGJugJBHbaszLN3rnuCSvFt",
    ),
    (
        "newrelic-pixie-deploy", "NEWRELIC_KEY", "px-dep-{h8}-{t24+}",
        "3A4AdF6E-GZjsCTYH5OBrx0Hq32VeEnc5",
        "aB54be55-TDeIk93ibfWy0JF9SzdRtjR",
    ),
    (
        "sentry-organisation", "SENTRY_TOKEN", "sntrys_{z40+}",
        "i8zjW3mQEooHceSInTYDHvZMV1tcgJkffcG3kAgQ",
        "68B2NJwNUJbnaUhp45gOwAUg1QU3j1gJYH9bqT0",
    ),
    (
        "sentry-user", "SENTRY_TOKEN", "sntryu_{h40+}",
        "231275c81dbcF85FC34bc6221486c2eD5f79294F",
        "aB56f1CDfebDcC8Df4ebfC26deeC93c8fCA7623",
    ),
    (
        "sentry-app", "SENTRY_TOKEN", "sntrya_{h40+}",
        "A64b6bB18ad1B4e49FE52DA42dcdEEB7612bA82a",
        "754Dfc15Ea87dd1b3Fc25e328FE2F8ee4967D98",
    ),
    (
        "posthog-personal", "POSTHOG_KEY", "phx_{t36+}",
        "AVbKexuctFH431jeHPDPdEcgQkIHeZB0h9yp",
        "ux2n4Z15I3ADymS62enycKmHodtIVdlMsoz",
    ),
    (
        "posthog-project", "POSTHOG_KEY", "phc_{t36+}",
        "Mf0g9GBiM83d3oFGYs9vPh2tO6ufTpoQJNit",
        "p17E7ZRt9vgaUc0ZdhDgFKjz8rDKv49fRCp",
    ),
    (
        "posthog-refresh", "POSTHOG_KEY", "phr_{t36+}",
        "1XpZHEkpOJlZTxskyL6VseNvvE8BN9dgbJDV",
        "BPRggjEyktSuyRjjFiqjxNQ3kK6IDP8LyYE",
    ),
    (
        "posthog-secure", "POSTHOG_KEY", "phs_{t36+}",
        "h2wPZURQeTJDYVyc48Q7Q8QwldkWSjuKfnzu",
        "6VwkdSTTrc9hANB3OAHcRomB3z9zuzQPTBu",
    ),
    (
        "honeycomb-ingest", "HONEYCOMB_KEY", "hcaik_{b50+}",
        "g5IG9WjPzwBnE8dEb995amXZ0TqpswVNj4fxA4Yp0RHoUzOWxu",
        "zzJEckK0pCrfIbqBYZ9Wlt8StGILFd7TAxiHzXZ6eKpPlpti1",
    ),
    (
        "honeycomb-bridge", "HONEYCOMB_KEY", "hcbik_{b50+}",
        "gheYa41thiMjzCPouEjEEk88TJeoGoG4wF8V6lU2JuRQ8bL1Ff",
        "7aRQYIFj6HXaByeHcg7YmHAP4Pd4vtQXlprMdMnSrRSij7WL3",
    ),
    (
        "honeycomb-experiment", "HONEYCOMB_KEY", "hcxik_{b50+}",
        "WMZuMw2uyaU9MGa6kHxtwrTFLNLpwocF80Aihmx07nGEvBQN9L",
        "r6y6wXzzmhXY03SWxkXKlsTTgC2xTSCDrxkyKxhTT1hcP8Z12",
    ),
    (
        "dynatrace-token", "DYNATRACE_TOKEN", "dt0{a1}{d2}.{b24}.{b60+}",
        "t46.uv0gkmsFoPfZoegRoY0ft038.5ZbyOfG0eQgyHVVyuuEiE1movmX4Wjff5NVt1oNqJODoF0IuNXjNNj5Ifvi7",
        "I08.K5RVYbKLvXOanEwH16koMXv3.trDf8J5fCvb3RPk4SDsZ866scIxMOFNbqSSEupIBAsE1BvQ0E9jTR4hVX7i",
    ),
    (
        "dynatrace-oauth", "DYNATRACE_TOKEN", "dt0s02.{b8}.{b60+}",
        "AF7cYhJ0.Z3QYTwlc31RLuRefhpenRepl4e7GSjz6QnLB2InwomZ0j6HGwFLMhXUgM4Ao",
        "ZEGqLdeu.ccgVu4tj1YBOheoNAEKSeVlY31WeEeB8zG7i9LLRodGd9tdDN6j5ZDslxlx",
    ),
    (
        "elastic-cloud-key", "ELASTIC_KEY", "essu_{z30+}",
        "NzuvpLIE3wMkgRwyeVc4FCQLS3vJrh",
        "hAyHSue0vDxnyC5HaY6nZyBiZ3d1y",
    ),
    (
        "axiom-token", "AXIOM_TOKEN", "xaat-{h8}-{t24+}",
        "EaDfedeF-9A7gbAU3yfw1vdHoJ8GzVl7q",
        "5e6D39Ef-W8VDApNoynj15Jjy2tKDbRf",
    ),
    (
        "axiom-personal", "AXIOM_TOKEN", "xapt-{h8}-{t24+}",
        "fdD8A3aC-56RK9ckGZ4s9lajMZlHsdIMm",
        "ffE2f8e3-rFT6coYt5oSjkimretme05B",
    ),
    (
        "rootly-token", "ROOTLY_TOKEN", "rootly_{h40+}",
        "5a666A7B5584eCb48f6eCeB3Bdd86bB2ba43D478",
        "FdD0c66Fd9AAC7EeDc56BFeBffdCBb1769AbccD",
    ),
    ("checkly-key", "CHECKLY_KEY", "cu_{h32}", "d0ffdD7AeB9B5eB98e30bb2f6f9b2f7f", "1f02eccBB1fbd53EF8aF877Ff9DE6Ba"),
    ("dbt-service", "DBT_TOKEN", "dbtc_{t30+}", "uQlqRdd47VN52cpLcfjNY5VgZvm3kc", "Uqta5USDLEcd9J3kmXFiaS999jXIN"),
    ("dbt-user", "DBT_TOKEN", "dbtu_{t30+}", "Xn234fhrQWNPhx4p5dIUFhxquSQEAm", "ty2esYPoMMjRhx0ijYzM34iETWWm0"),
    (
        "mongodb-service-account", "MONGODB_SECRET", "mdb_sa_sk_{t30+}",
        "FPXO9lYWDze2m5kIQR8lEn6iXujYoj",
        "pZpl3j6cXbrTjgWwpPYskr25b6nEs",
    ),
    ("aiven-password", "PASSWORD", "AVNS_{t14+}", "XxJLRrNTkf8PK4", "pcA5xr0fDINpE"),
    (
        "clickhouse-secret", "CLICKHOUSE_SECRET", "4b1d{b38}",
        "TO8hmjzHgTs6xa3bqik708ZiUQEUGId7B1JZw3",
        "IDlEjLVicmRK7bGJnEoJ97w3809r1oFoEWK8H",
        "mixed",
    ),
    (
        "tinybird-token", "TINYBIRD_TOKEN", "p.eyJ{x40+}",
        "TaAitTUC1p1qfiTM0jEUeJe2oOD7ZnwKIBlodulI",
        "YWDmUJkk3GRHMRKHkbXj66dBarO2Cp6zYvhqhjB",
    ),
    (
        "nightfall-key", "NIGHTFALL_KEY", "NF-{b32}",
        "YuXPN6soLC1LOLI6vDvMZ3oIugN6K6Nb",
        "Yq3rHtxkPfbbyPmR0mtgXZgDgMMlZkn",
        "digit",
    ),
    (
        "fullstory-key", "FULLSTORY_KEY", "na1.{s60+}",
        "xaJrrydE7YQP58FgPxYOsamvWaL8BNJm9W8NtIAAXiKUEBDOsz39z60XlSBw",
        "CvUhPPmj1EHtUQUfOLWqm1lb9HWshoT2y0EL5vGxjH5WNyMvpBBjp5SUMwl",
    ),
    (
        "fullstory-key-eu", "FULLSTORY_KEY", "eu1.{s60+}",
        "1X5CcGnvnP93MZfMNsw3CNtAkJnUlHd0gg4vHHrzuxuF899HU0rLGc2iPUyB",
        "YHW0TGQf2eWdfMhnOEtpVTWtrq4Zw507BZxQNWpKkNoPbJ9N9LPyCxsxElh",
    ),
    ("aikido-secret", "AIKIDO_SECRET", "AIK_SECRET_{w20+}", "BYh7mCpjAdAesZggdQCI", "MW6luWhb99bdnQv73aX"),
    ("aikido-ci", "AIKIDO_SECRET", "AIK_CI_{w20+}", "yK6IpPdqYulZ6krPWYwb", "RPNxSc1SNrBfCU3u1B7"),
    (
        "sumologic-token", "SUMOLOGIC_TOKEN", "ReceiverV1{s60+}",
        "I5ASmwtdjHgRQ5bBIbOawqXnYMSpPBHhc4VXHcUDlhgDm83PWf5oIh1e4MjN",
        "yDB5LMgwLjFOEjYanXlGcoPi0YJWQt2t3UurB6B6NZmZDLIeDCfjJBivbZY",
    ),
    ("okta-ssws", "OKTA_TOKEN", "SSWS {t30+}", "gYmFWxUCyHRTvm6Zf9HjHNrPKksgIX", "cwqPsjUfxm41hy7T5dHWkmGWNqh7A"),
    (
        "ntlm-response", "NTLM_TOKEN", "TlRMTVNTUAAD{s40+}",
        "yY6gXb88pXdWxWJprDreLUGXZXWZQvd2NgpuQix4",
        "vqORBz4hWwAzhPjPA19IG3Q67KOXqbhcTMQltkW",
    ),
    ("ntlm-challenge", "NTLM_TOKEN", "TlRMTVNTUAAB{s20+}", "6RdmdgeNwfFOLycx3YD4", "AAFUt1DRwFQ7UZQOja6"),
    ("json-web-token", "JWT", "eyJ{t8+}.{t8+}[.{y1+}]", "c70HpJS7.LyWARE9M", "HkJyNjBD.GoLYupf"),
    (
        "akamai-token", "AKAMAI_TOKEN", "akab-{l16}-{l16}",
        "dg0zrk7vol0j2qt3-gww4fse8swijtn4g",
        "kju3djwt7f04mmxr-xwzety1sxsr9yyr",
    ),
    (
        "thingsboard-token", "THINGSBOARD_TOKEN", "thingsboard.cloud/api/v1/{l20}",
        "ya4veuanrqkab838ntjd",
        "vebp7h4fpusbq561dys",
    ),
)
