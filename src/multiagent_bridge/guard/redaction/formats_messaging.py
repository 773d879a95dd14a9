"""Token formats of chat, mail, telephony, social networks and devices, from the providers' own documentation and from tokens they issue.

Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

ROWS: tuple[tuple[str, ...], ...] = (
    ("slack-token", "SLACK_TOKEN", "xoxb-{z10+}", "q5QSl9hiZh", "kCoQfuEI6", "digit"),
    ("slack-user", "SLACK_TOKEN", "xoxp-{z10+}", "kq8sixx2ro", "xrJHpdpIw", "digit"),
    ("slack-app-user", "SLACK_TOKEN", "xoxa-{z10+}", "75oNGZgz2m", "ALSStAwKp", "digit"),
    ("slack-workspace", "SLACK_TOKEN", "xoxs-{z10+}", "TvFoo3dWup", "GLmBslssU", "digit"),
    ("slack-refresh", "SLACK_TOKEN", "xoxr-{z10+}", "io5LCgOh9l", "nZ5fwa8Lq", "digit"),
    ("slack-legacy-o", "SLACK_TOKEN", "xoxo-{z10+}", "X7APsYHGoK", "hpE87uJHi", "digit"),
    ("slack-client", "SLACK_TOKEN", "xoxc-{z10+}", "JqLxPf8dBG", "bh2UHSR9v", "digit"),
    ("slack-cookie", "SLACK_TOKEN", "xoxd-{z10+}", "9EA392OPaN", "4dELp23C0", "digit"),
    ("slack-t", "SLACK_TOKEN", "xoxt-{z10+}", "0Q71JaDSxU", "E2qV1qcW4", "digit"),
    ("slack-config", "SLACK_TOKEN", "xoxe.xox{a1}-{z10+}", "B-RycEO0sp1J", "R-cw6rMuTzy"),
    ("slack-config-refresh", "SLACK_TOKEN", "xoxe-{z10+}", "PQ3EBCcMHS", "DgVpGG8Gi"),
    ("slack-app", "SLACK_TOKEN", "xapp-{z20+}", "eJq3XxkRbEHomHyJsueV", "hIcEVfwMiiuUSQzIDjr"),
    (
        "slack-webhook", "SLACK_WEBHOOK", "hooks.slack.com/services/{z20+}",
        "3CfzfCaYncQCPEVBzKk2",
        "36GItSctTTexbnxpoXb",
    ),
    (
        "slack-workflow", "SLACK_WEBHOOK", "hooks.slack.com/workflows/{z20+}",
        "26FpjrNl7vpd0DIx5BhS",
        "CXeq21VmFBygSHgUknZ",
    ),
    (
        "slack-trigger", "SLACK_WEBHOOK", "hooks.slack.com/triggers/{z20+}",
        "eLNOBKc0kib8sy7ths2D",
        "oJvebvsSPtIBGF4W0Tj",
    ),
    (
        "discord-webhook", "DISCORD_WEBHOOK", "discord.com/api/webhooks/{z40+}",
        "gYbWgvRmGkShFCdIyy1BMN78lkUegQitlag0jZyn",
        "i4KBPPgLuseisdZpyQ2LbDhZPCzaZMYYhd85Fmy",
    ),
    (
        "discord-webhook-older", "DISCORD_WEBHOOK", "discordapp.com/api/webhooks/{z40+}",
        "N5iwi2KjK7q9i13ShkhYJLa8coeEsfC99AzrQj1w",
        "K7513t91OviOljgvkbw2sDO9hO3HcXLSLXYSKXj",
    ),
    (
        "teams-webhook", "TEAMS_WEBHOOK", ".webhook.office.com/webhookb2/{T60+}",
        "a5IcdibdDuL0b6tPBZtgezBDcN1pNMmpV9B13alIh9RZSdMWypFyhRhwdBWs",
        "71llQty9o4uk5QA1qrJss2NsybfGWfGItDRXVfFWn0cCBZBUMgDL3z6NeA5",
    ),
    (
        "teams-webhook-older", "TEAMS_WEBHOOK", "outlook.office.com/webhook/{T60+}",
        "3NBUf35WgVjHloDQCqso1XsOFYSwOJcxHO1uDpUwIbTljDvjoruaTG0dDTql",
        "7h8RsGgHAiEeZSaWSRyVDgF0ynL990iQUopqvxSxnzJfpVS6E7ukZeOueIJ",
    ),
    (
        "teams-webhook-365", "TEAMS_WEBHOOK", "outlook.office365.com/webhook/{T60+}",
        "Rb7yTO112coRZIba1OlGAmZYNfOPgCjVrDkGsqsqMPITVSEaWeAVO1GPN5fN",
        "1kQG87jNQ5v5nAm7VhPVzcOXX1ZjKeCL4iHc6VNYKCZBZT83hvuHlxil5WA",
    ),
    ("zapier-webhook", "WEBHOOK", "hooks.zapier.com/hooks/catch/{z10+}", "BFRJSKev8p", "9NNj9FBX9"),
    (
        "tines-webhook", "WEBHOOK", ".tines.com/webhook/{z40+}",
        "57oLyXNLX7Cbvq3LRt4GX9NZ0uWexRulCHXf7uKV",
        "9ZIKR82MHwKfB54CmhKxT5Fn2T60vXpnMOC0Y9Z",
    ),
    (
        "google-chat-webhook", "WEBHOOK", "chat.googleapis.com/v1/spaces/{C40+}",
        "HayEStuFoStooxZ45DKOTIlVS24psCwqvxcTu8Q1",
        "OHtheP4Wo9igJwblUbB0p2E9Hud1aykpuKN7KIJ",
    ),
    (
        "telegram-token", "TELEGRAM_TOKEN", "{d8-16}:AA{t30-36}",
        "nNmQjPiiKgh1jUjuhwUrALqaE3mmi9",
        "RoS1CfPEsPkW87PFEkAku3u2i4VuB",
        "mixed",
        "07163923",
    ),
    (
        "telegram-token-any", "TELEGRAM_TOKEN", "{d8-16}:A{t32-35}",
        "uFmqNAY1YTNbixqUiijQfmLX4dWvtys1",
        "cdl8Jjg9AyJ4osCEcVX24TQtCnBblNe",
        "mixed",
        "08163724",
    ),
    (
        "twilio-api-key", "TWILIO_KEY", "SK{h32}",
        "fe1DB1129B803c3ccB88DA1cE93b2b4b",
        "CC71F31EC56FEA1789B29139a46aB59",
        "digit",
    ),
    (
        "twilio-account", "TWILIO_KEY", "AC{h32}",
        "8c9E1bD4e02dFFcEB7cEaa0C5B8A431F",
        "45F453Cbe9dFBE5ceb406AbDC411DB7",
        "digit",
    ),
    (
        "sendgrid-key", "SENDGRID_KEY", "SG.{y50+}",
        "eBuDAV9pQxVlCUSNyBJYhl7Ss2W8PjJpkFPWYzElcL2kqpWAxS",
        "gADkYsPyRvAsj1snk07WcewzhC9RIaKR38TS9mXHziyeTeb1j",
    ),
    (
        "mailgun-key", "MAILGUN_KEY", "key-{h32}",
        "15e16bA47dCEF49ACDEb1ea7a5Cfb6Be",
        "bC1aA65a04C173CCE6bBA702aBeBfBC",
    ),
    (
        "mailgun-public", "MAILGUN_KEY", "pubkey-{h32}",
        "cfBE2F5E31d7Db2F44EdC4eBcDA7afEe",
        "81Dcb1aEEe8AB1A6b2c775e5e5Dcfff",
    ),
    ("mailchimp-key", "MAILCHIMP_KEY", "{h32}-us{d1-2}", "6", "", "", "8fc42B0Db77809cf7f19aeb86cDEFA6a"),
    (
        "brevo-key", "BREVO_KEY", "xkeysib-{t60+}",
        "TfQf1yxTR6EEEpHzxFI9zBs1VjCNYqHQGNfhNDVOmqpveA4czyGI8nxeS1Ud",
        "P4UqxAgfNzzi0S6g1FshEdmuwoRl7YeDFMa9tKFevpi8b1NBJP6TnE0Vtdw",
    ),
    (
        "brevo-smtp", "BREVO_KEY", "xsmtpsib-{t60+}",
        "tprBJQe6BfGCuLT3jUaFwha7XhsljjIA8jpbwQdrDMUHaLO4M7e8mQqoD7qD",
        "KIMTC6RrRynUBgYxsraOvQFPJ42paGK6hpv8Xkr3ZNgagwd0CLB4te8yVlO",
    ),
    ("mandrill-key", "MANDRILL_KEY", "md-{t22}", "gy7FLZe7KA69HF7L0aeZuK", "yhaGdQv9NTTQPBTxmU4x6", "mixed"),
    (
        "mailersend-token", "MAILERSEND_TOKEN", "mlsn.{l40+}",
        "j81ehp6exnozsioyc4hbelixhcv0mbdguc7nm0yg",
        "15fheq4d1fnu2ymocwpmlbvvuvwgtzw7wvbyy5f",
    ),
    (
        "resend-key", "RESEND_KEY", "re_{b8}_{b20+}",
        "X8UIGuYj_AcCJjWLs1n0FPgcryiZg",
        "86nV4Uxv_2NthTjRiMiakiRCcwPS",
        "digit",
    ),
    (
        "telnyx-key", "TELNYX_KEY", "KEY{u30-40}_{b20-24}",
        "D72ILWW70LS1WP7KPR6G2XPWQLDDTR_klT8OHw2bv2i6u3int15",
        "5G8KD3KFT51A53G7U2TO8Z945OIKA6_pUd8KuclafrRiMivfR9",
    ),
    (
        "facebook-token", "FACEBOOK_TOKEN", "EAA{b60+}",
        "0VFdKgyJiFB5rzTlw4bFOkUkA0zzVcFB66KvL7O4cD6xnWdWACFCdrJcJ77N",
        "LxNSzHJL5bG8DGiFQi96mPtWqfGAxezFtlb8cGAh5ICqLuuHTd3IkEOWJc1",
        "mixed",
    ),
    (
        "instagram-token", "INSTAGRAM_TOKEN", "IGQ{t60+}",
        "IKbh8TrXtTUgCCD8F2TIAA3PdVxTCEOYHaUxkZGBiokh2EDiu7cJMUvorZZa",
        "mi0Zy8ZGXrflScadHQQ6PcPMrVfEfzgzckxXycRUWsDqwPl4Tce6sc9yWRz",
        "mixed",
    ),
    (
        "pinterest-token", "PINTEREST_TOKEN", "pina_{t30+}",
        "HADtD7aVG0uvZVZDEDlnZdaTdpXyg1",
        "Neq4DsqPwN20DK1OPTUQoPAFspYGR",
    ),
    (
        "twitch-stream-key", "TWITCH_KEY", "live_{d6-12}_{b24+}",
        "890550_rlWG1jPBB9mtJHUcTPuZUGPd",
        "235169_DP0JOH4a2hhSJJDXWUWIj24",
    ),
    (
        "onesignal-key", "ONESIGNAL_KEY", "os_v2_{w40+}",
        "WNk5U1xc695Vl9rEsGh7NptKnrV8tf28DoHJ9UbM",
        "v3CBoNc9j9vSAquNSWf5KXBVaHEdFIok6SgNlzc",
    ),
    ("courier-key", "COURIER_KEY", "pk_prod_{b20+}", "PnLWyScig88mFr3bPu1K", "yFmO0YSkqlHhGKmDEem"),
    (
        "notify-key", "NOTIFY_KEY", "GCNTFY-{T60+}",
        "4Lcd1GzDrHYrZCCNjbGXEf5q7RQ46yO6RuNnzAr6gpapr5REWl0LpxShqub0",
        "DR1RUD39vin7n9eqfeTmxgJ878iDQUCIIOR8pMpwRXf2YcQMN4VeaQy2cRR",
    ),
    ("linkedin-secret", "LINKEDIN_SECRET", "WPL_AP1.{s16+}", "SdbSwcA6Cd0wNjxJ", "6rAGRj70gLN4xi6"),
    (
        "mapbox-secret", "MAPBOX_TOKEN", "sk.eyJ{x40+}",
        "KvrwoDLgR1sWwNNFrC6ncBDP2MCbv69XzbEio998",
        "HevXPbIGlU1EybJS5Bl91HrJHUJlrtFFa8crg2I",
    ),
    (
        "mapbox-public", "MAPBOX_TOKEN", "pk.eyJ{x40+}",
        "6vgOrE8QqACnCr6JcmsOqZkQcl6mZycUk5qmX77W",
        "FJNnWDjQxss1PAIYEVfoFSBaLo8i2wHuNODmedA",
    ),
    (
        "tiktok-token", "TIKTOK_TOKEN", "act.{b40+}",
        "2phslkkKzpkKrOUjMMSH9xRscebJ8nSUZtSjq2DO",
        "xe05u8AQgImvPKDV7swRI85zuTNqmMGjix8Sh1x",
        "mixed",
    ),
    ("lichess-token", "LICHESS_TOKEN", "lip_{b20}", "7feYmcNcude0hYUHFPHa", "XiYQnVAk88lrRjZd9Vp", "digit"),
    ("samsara-token", "SAMSARA_TOKEN", "samsara_api_{b24+}", "hMn3ejtHlWG1DWurnpGPqtUe", "x5b1UBWVzlDgXhbckhu6WmJ"),
    (
        "intra42-secret", "INTRA42_SECRET", "s-s4t2{a2}-{h60+}",
        "We-A7A9ff30B33E49ea77D2A1A456bE8DfD910E248E4d383C469f0bCBCf7AD2",
        "Bh-da69dDC5F9cC87B7452f9e61FFb2EE6f08A3dCc2B69C5F09EF8fD8453A0",
    ),
    (
        "voiceflow-key", "VOICEFLOW_KEY", "VF.{x30+}",
        "jNATLlRAqJNrlWVFBO8qQao6PS3gwN",
        "LHsbEcRwDzye5rQXd4JJR9qhmZzmT",
        "digit",
    ),
    ("ubidots-key", "UBIDOTS_KEY", "BBFF-{b30+}", "UxND3oLXzv0pl9pDB2Yh3CGCKnXsJl", "SPZH1tCMSyERJXdZSI6d5ntGURg8z"),
    ("adafruit-io-key", "ADAFRUIT_KEY", "aio_{b26+}", "uyOthF2lk0KkvW1TUA8vhRXZ0S", "m0xOzd3KD5buJOtloYfv2kcNJ"),
    (
        "apify-token", "APIFY_TOKEN", "apify_api_{b30+}",
        "Htueg0YP0DcKRDP5nzTb44wAExMaei",
        "ES5NfR8CsnXPv8UUFtA5MlGbOtvq5",
    ),
    (
        "authress-key", "AUTHRESS_KEY", "sc_{l5-40}.{t4-6}.acc{x30+}",
        "hxype.A6cK.accVhnogJXIwFDXKxzxAuadGhYMaU6RdE",
        "9ctxi.97hm.accDDPZjKnhrDkDXloSDnsJ9ZMPXvWKz",
    ),
    (
        "authress-extension", "AUTHRESS_KEY", "ext_{l5-40}.{t4-6}.acc{x30+}",
        "5behi.3HdP.accemobAqQTPrce00uOMP7Ii8MbRug2Wv",
        "zv4al.MLtD.accrWVdKHFQ1or5IS1wsM3cw0PrzzoNL",
    ),
    ("settlemint-application", "SETTLEMINT_TOKEN", "sm_aat_{b14+}", "emoJx9GMX0jHsG", "DrtXUDQMgTv5Y"),
    ("settlemint-personal", "SETTLEMINT_TOKEN", "sm_pat_{b14+}", "cK2P3upOyurvfz", "EwNmywPy2tVTe"),
    ("settlemint-service", "SETTLEMINT_TOKEN", "sm_sat_{b14+}", "A07jngpCw820Zj", "oHXotqbCIEisV"),
    (
        "scalingo-token", "SCALINGO_TOKEN", "tk-us-{t44+}",
        "7xy5ABfESyMcDRKt6vB6BtlU1t3goIjZMitVqaLnOiwB",
        "uXl6qfhvcmLbHizn9Y03WX29Lrnzohon6B4AFSBEZqw",
    ),
    (
        "dependency-track-key", "DEPENDENCYTRACK_KEY", "odt_{b30+}",
        "OncnJtBzhQGjVIKKNpfvX5MmYojaFV",
        "ziNDM9j45RJsthbPwWwahBObWW4Dz",
    ),
    (
        "ionic-token", "IONIC_TOKEN", "ion_{b40+}",
        "nf6S24W0BwYUplYlvdrsMn2qmG8VqkobA3Vs8QtC",
        "dA6cPDEs0X6WN3OfJgwPLekrsUwySsdYZA5AEKP",
    ),
    (
        "redirect-pizza-token", "REDIRECTPIZZA_TOKEN", "rdp_{b28+}",
        "0VtJar09AhiWiQ6ypCJERLLvWKiW",
        "MVtRElwpWu1JFbK2TqlayiDxnMq",
    ),
    (
        "thunderstore-token", "THUNDERSTORE_TOKEN", "tss_{b30+}",
        "uneT4J4T66ZPPII4d2EoATkp2RI8wS",
        "OAtGYy5fhA1bmlMElEJeFZoOUpdiD",
    ),
    (
        "nkey-user", "NKEY_SEED", "SU{u56}",
        "7KXBEEJE25IQE74PN2Z9E2W9LMO1M35H13J6TAP37ZJOE4S8L0ICN1SG",
        "ZIWNW31W7FCAXRS01T1NJ1WC27JOBROE5P3HWWLNJDB1JISJ694BCQV",
        "digit",
    ),
    (
        "nkey-account", "NKEY_SEED", "SA{u56}",
        "LG0U2X5MC2A1O5ANXKM82ECNHKB2U48278C4HFPV9BYI982F0UA9FHSY",
        "2VEAQBQ46JZVOFHZ461BELQO1SDCBBOGSHSDZIBVGM6LV43YDR1SO3B",
        "digit",
    ),
    (
        "nkey-operator", "NKEY_SEED", "SO{u56}",
        "INYBQ2M0QPTP9JZIYQ0KFDQTRHRXZSLAT37FYYQVRSL317F8QWMG9Y99",
        "58BJDUDDQPLLVP9Z6FJW0T7XE90HQH7B2V4MS8T5DFM3KHR9J1THM6N",
        "digit",
    ),
)
