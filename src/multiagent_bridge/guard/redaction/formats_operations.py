"""Token formats of observability, databases, analytics and tokens of common form.

Written from the providers' documentation and from the form of the tokens they issue.
Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

# fmt: off
ROWS: tuple[tuple[str, ...], ...] = (
    (
        "bridge-key", "API_KEY", "mab_key_{b49+}",
        "vIEwVvC8hZ5d574no63kvEBWv6BtFDDlX1xZTiikjhj05BnKQ", "vIEwVvC8hZ5d574no63kvEBWv6BtFDDlX1xZTiikjhj05BnK",
    ),
    (
        "grafana-key", "GRAFANA_KEY", "eyJrIjoi{s50+}",
        "ZvFBl9P2wjwccPQwMyVTMqPkP3FOnLv7KxPm29UrynyMcuaC4L",
        "lrzOYCTYrHiXXVgRUMj1PFjlRvwWOUjIgWT8UDBcyKZ6yFTi1",
    ),
    ("grafana-cloud", "GRAFANA_KEY", "glc_{s30+}", "6UyxvH69cBN7RQmLCclK0V9RAAzymS", "UbY7JtPeitpayn4v3P1L6j9nyTQHV"),
    (
        "grafana-service", "GRAFANA_KEY", "glsa_{w36+}",
        "YwIMGU9StgdUJCkN24ArKki6PB0252jU4WGP",
        "jbrouRJBtoZSBf4vwyaD6zNAKdTFCqjVuQO",
    ),
    ("newrelic-user", "NEWRELIC_KEY", "NRAK-{b24+}", "il7T5TFCSmpx5Z6HExiHL8yT", "S4G76PzVI8Lh5hKZIdQKqFY"),
    ("newrelic-admin", "NEWRELIC_KEY", "NRAA-{b20+}", "boKUYFUT1qnyj0RX4LXo", "krqRbHOeOWfMLaOQYjQ"),
    ("newrelic-insert", "NEWRELIC_KEY", "NRII-{t24+}", "4fUGOGThVEnmCWZVYFl5w0sp", "cYEubT8PU76dfyzKJapYksD"),
    ("newrelic-query", "NEWRELIC_KEY", "NRIQ-{t24+}", "pZh6OE9zGw43jCzXNltQk96U", "5KM9S3hQOqJStOzfYKp5NVc"),
    (
        "newrelic-rest", "NEWRELIC_KEY", "NRRA-{b30+}",
        "mV9X1CobF2nhYDC8cGAf0idVWz60Fc",
        "2FwLeYqSyRezKe1Zaxk1WWgTVv4X4",
    ),
    ("newrelic-browser", "NEWRELIC_KEY", "NRJS-{b16+}", "aHKa9Syvpxpx7vOH", "jsUnYCEjkJ9mFXM"),
    ("newrelic-browser-ingest", "NEWRELIC_KEY", "NRBR-{b16+}", "NdBqM3ZswWC5vIID", "y7AvQaVG3FpN6Cm"),
    ("newrelic-synthetics", "NEWRELIC_KEY", "NRSP-{b16+}", "S5PvlAlZoDiuxw4V", "3RPAogTwH94EBNC"),
    ("newrelic-licence", "NEWRELIC_KEY", "{l32-40}NRAL", "", "x", "", "773w3krte697wz0dxy872zhc9qzqyi7q"),
    (
        "newrelic-pixie-key", "NEWRELIC_KEY", "px-api-{h8}-{t24+}",
        "C58FA3d5-YO6sdu0WOwuPW49iy0tZsZ0m",
        "DbDC761A-cueQGJugJBHbaszLN3rnuCS",
    ),
    (
        "newrelic-pixie-deploy", "NEWRELIC_KEY", "px-dep-{h8}-{t24+}",
        "f93A4AdF-29nPGZjsCTYH5OBrx0Hq32Ve",
        "f61aB54b-CW6lkTDeIk93ibfWy0JF9Sz",
    ),
    (
        "sentry-organisation", "SENTRY_TOKEN", "sntrys_{z40+}",
        "RtjRli8zjW3mQEooHceSInTYDHvZMV1tcgJkffcG",
        "3kAgQ68B2NJwNUJbnaUhp45gOwAUg1QU3j1gJYH",
    ),
    (
        "sentry-user", "SENTRY_TOKEN", "sntryu_{h40+}",
        "08e231275c81dbcF85FC34bc6221486c2eD5f792",
        "94FaB56f1CDfebDcC8Df4ebfC26deeC93c8fCA7",
    ),
    (
        "sentry-app", "SENTRY_TOKEN", "sntrya_{h40+}",
        "235A64b6bB18ad1B4e49FE52DA42dcdEEB7612bA",
        "82a754Dfc15Ea87dd1b3Fc25e328FE2F8ee4967",
    ),
    (
        "posthog-personal", "POSTHOG_KEY", "phx_{t36+}",
        "8sqvAVbKexuctFH431jeHPDPdEcgQkIHeZB0",
        "h9ypux2n4Z15I3ADymS62enycKmHodtIVdl",
    ),
    (
        "posthog-project", "POSTHOG_KEY", "phc_{t36+}",
        "sozXMf0g9GBiM83d3oFGYs9vPh2tO6ufTpoQ",
        "JNitp17E7ZRt9vgaUc0ZdhDgFKjz8rDKv49",
    ),
    (
        "posthog-refresh", "POSTHOG_KEY", "phr_{t36+}",
        "RCpr1XpZHEkpOJlZTxskyL6VseNvvE8BN9dg",
        "bJDVBPRggjEyktSuyRjjFiqjxNQ3kK6IDP8",
    ),
    (
        "posthog-secure", "POSTHOG_KEY", "phs_{t36+}",
        "yYE6h2wPZURQeTJDYVyc48Q7Q8QwldkWSjuK",
        "fnzu6VwkdSTTrc9hANB3OAHcRomB3z9zuzQ",
    ),
    (
        "honeycomb-ingest", "HONEYCOMB_KEY", "hcaik_{b50+}",
        "TBuDg5IG9WjPzwBnE8dEb995amXZ0TqpswVNj4fxA4Yp0RHoUz",
        "OWxuzzJEckK0pCrfIbqBYZ9Wlt8StGILFd7TAxiHzXZ6eKpPl",
    ),
    (
        "honeycomb-bridge", "HONEYCOMB_KEY", "hcbik_{b50+}",
        "ti17gheYa41thiMjzCPouEjEEk88TJeoGoG4wF8V6lU2JuRQ8b",
        "L1Ff7aRQYIFj6HXaByeHcg7YmHAP4Pd4vtQXlprMdMnSrRSij",
    ),
    (
        "honeycomb-experiment", "HONEYCOMB_KEY", "hcxik_{b50+}",
        "WL3aWMZuMw2uyaU9MGa6kHxtwrTFLNLpwocF80Aihmx07nGEvB",
        "QN9Lr6y6wXzzmhXY03SWxkXKlsTTgC2xTSCDrxkyKxhTT1hcP",
    ),
    (
        "dynatrace-token", "DYNATRACE_TOKEN", "dt0{a1}{d2}.{b24}.{b60+}",
        "Z14.OrTBuv0gkmsFoPfZoegRoY0f.t0385ZbyOfG0eQgyHVVyuuEiE1movmX4Wjff5NVt1oNqJODoF0IuNXjNNj5I",
        "f52.74IbTHK5RVYbKLvXOanEwH16.koMXv3trDf8J5fCvb3RPk4SDsZ866scIxMOFNbqSSEupIBAsE1BvQ0E9jTR",
    ),
    (
        "dynatrace-oauth", "DYNATRACE_TOKEN", "dt0s02.{b8}.{b60+}",
        "hVX7inAF.7cYhJ0Z3QYTwlc31RLuRefhpenRepl4e7GSjz6QnLB2InwomZ0j6HGwFLMhX",
        "UgM4AoZE.GqLdeuccgVu4tj1YBOheoNAEKSeVlY31WeEeB8zG7i9LLRodGd9tdDN6j5Z",
    ),
    (
        "elastic-cloud-key", "ELASTIC_KEY", "essu_{z30+}",
        "slxlxrNzuvpLIE3wMkgRwyeVc4FCQL",
        "S3vJrhhAyHSue0vDxnyC5HaY6nZyB",
    ),
    (
        "axiom-token", "AXIOM_TOKEN", "xaat-{h8}-{t24+}",
        "1cBEaDfe-ADR9A7gbAU3yfw1vdHoJ8GzV",
        "585e6D39-O6FW8VDApNoynj15Jjy2tKD",
    ),
    (
        "axiom-personal", "AXIOM_TOKEN", "xapt-{h8}-{t24+}",
        "F25fdD8A-9h6vL56RK9ckGZ4s9lajMZlH",
        "91BD6ffE-8e1ErCgrFT6coYt5oSjkimr",
    ),
    (
        "rootly-token", "ROOTLY_TOKEN", "rootly_{h40+}",
        "962d25a666A7B5584eCb48f6eCeB3Bdd86bB2ba4",
        "3D478FdD0c66Fd9AAC7EeDc56BFeBffdCBb1769",
    ),
    ("checkly-key", "CHECKLY_KEY", "cu_{h32}", "bccDAd0ffdD7AeB9B5eB98e30bb2f6f9", "b2f7f1f02eccBB1fbd53EF8aF877Ff9"),
    ("dbt-service", "DBT_TOKEN", "dbtc_{t30+}", "OmJSuWhuQlqRdd47VN52cpLcfjNY5V", "gZvm3kcUqta5USDLEcd9J3kmXFiaS"),
    ("dbt-user", "DBT_TOKEN", "dbtu_{t30+}", "99jXINiXn234fhrQWNPhx4p5dIUFhx", "quSQEAmty2esYPoMMjRhx0ijYzM34"),
    (
        "mongodb-service-account", "MONGODB_SECRET", "mdb_sa_sk_{t30+}",
        "ETWWm0BFPXO9lYWDze2m5kIQR8lEn6",
        "iXujYojpZpl3j6cXbrTjgWwpPYskr",
    ),
    ("aiven-password", "PASSWORD", "AVNS_{t14+}", "5b6nEsLXxJLRrN", "Tkf8PK4pcA5xr"),
    (
        "clickhouse-secret", "CLICKHOUSE_SECRET", "4b1d{b38}",
        "fDINpEOTO8hmjzHgTs6xa3bqik708ZiUQEUGId",
        "7B1JZw3IDlEjLVicmRK7bGJnEoJ97w3809r1o",
        "mixed",
    ),
    (
        "tinybird-token", "TINYBIRD_TOKEN", "p.eyJ{x40+}",
        "oEWK8HlTaAitTUC1p1qfiTM0jEUeJe2oOD7ZnwKI",
        "BlodulIYWDmUJkk3GRHMRKHkbXj66dBarO2Cp6z",
    ),
    (
        "nightfall-key", "NIGHTFALL_KEY", "NF-{b32}",
        "vhqhjBVYuXPN6soLC1LOLI6vDvMZ3oIu",
        "gN6K6NbYq3rHtxkPfbbyPmR0mtgXZgD",
        "digit",
    ),
    (
        "fullstory-key", "FULLSTORY_KEY", "na1.{s60+}",
        "MMlZknqxaJrrydE7YQP58FgPxYOsamvWaL8BNJm9W8NtIAAXiKUEBDOsz39z",
        "60XlSBwCvUhPPmj1EHtUQUfOLWqm1lb9HWshoT2y0EL5vGxjH5WNyMvpBBj",
    ),
    (
        "fullstory-key-eu", "FULLSTORY_KEY", "eu1.{s60+}",
        "5SUMwlo1X5CcGnvnP93MZfMNsw3CNtAkJnUlHd0gg4vHHrzuxuF899HU0rLG",
        "c2iPUyBYHW0TGQf2eWdfMhnOEtpVTWtrq4Zw507BZxQNWpKkNoPbJ9N9LPy",
    ),
    ("aikido-secret", "AIKIDO_SECRET", "AIK_SECRET_{w20+}", "xsxElhfBYh7mCpjAdAes", "ZggdQCIMW6luWhb99bd"),
    ("aikido-ci", "AIKIDO_SECRET", "AIK_CI_{w20+}", "Qv73aXAyK6IpPdqYulZ6", "krPWYwbRPNxSc1SNrBf"),
    (
        "sumologic-token", "SUMOLOGIC_TOKEN", "ReceiverV1{s60+}",
        "U3u1B70I5ASmwtdjHgRQ5bBIbOawqXnYMSpPBHhc4VXHcUDlhgDm83PWf5oI",
        "h1e4MjNyDB5LMgwLjFOEjYanXlGcoPi0YJWQt2t3UurB6B6NZmZDLIeDCfj",
    ),
    ("okta-ssws", "OKTA_TOKEN", "SSWS {t30+}", "BivbZYtgYmFWxUCyHRTvm6Zf9HjHNr", "PKksgIXcwqPsjUfxm41hy7T5dHWkm"),
    (
        "ntlm-response", "NTLM_TOKEN", "TlRMTVNTUAAD{s40+}",
        "WNqh7AuyY6gXb88pXdWxWJprDreLUGXZXWZQvd2N",
        "gpuQix4vqORBz4hWwAzhPjPA19IG3Q67KOXqbhc",
    ),
    ("ntlm-challenge", "NTLM_TOKEN", "TlRMTVNTUAAB{s20+}", "MQltkWE6RdmdgeNwfFOL", "ycx3YD4AAFUt1DRwFQ7"),
    ("json-web-token", "JWT", "eyJ{t8+}.{t8+}[.{y1+}]", "ZQOja6Zc.70HpJS7L", "yWARE9MH.kJyNjBD"),
    (
        "akamai-token", "AKAMAI_TOKEN", "akab-{l16}-{l16}",
        "oupfvdg0zrk7vol0-j2qt3gww4fse8swi",
        "jtn4gkju3djwt7f0-4mmxrxwzety1sxs",
    ),
    (
        "thingsboard-token", "THINGSBOARD_TOKEN", "thingsboard.cloud/api/v1/{l20}",
        "9yyr0ya4veuanrqkab83",
        "8ntjdvebp7h4fpusbq5",
    ),
)
# fmt: on
