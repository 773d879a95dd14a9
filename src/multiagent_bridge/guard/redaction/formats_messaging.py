"""Token formats of chat, mail, telephony, social networks and devices.

Written from the providers' documentation and from the form of the tokens they issue.
Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

# fmt: off
ROWS: tuple[tuple[str, ...], ...] = (
    ("slack-token", "SLACK_TOKEN", "xoxb-{z11+}", "9rpmCcM3vNz", "U8GtphMJt4", "digit"),
    ("slack-user", "SLACK_TOKEN", "xoxp-{z11+}", "3grN5LAd9Vo", "BQPfhNmGfR", "digit"),
    ("slack-app-user", "SLACK_TOKEN", "xoxa-{z11+}", "Cwx1Ng77ppM", "QIw717RQQp", "digit"),
    ("slack-workspace", "SLACK_TOKEN", "xoxs-{z11+}", "46agfAngZDl", "WBEuq5QSl9", "digit"),
    ("slack-refresh", "SLACK_TOKEN", "xoxr-{z11+}", "BslssU2AqGe", "RVYEPoeXAA", "digit"),
    ("slack-legacy-o", "SLACK_TOKEN", "xoxo-{z11+}", "0io5LCgOh9l", "nZ5fwa8Lqv", "digit"),
    ("slack-client", "SLACK_TOKEN", "xoxc-{z11+}", "7APsYHGoKhp", "E87uJHitJq", "digit"),
    ("slack-cookie", "SLACK_TOKEN", "xoxd-{z11+}", "xPf8dBGbh2U", "HSR9vU9EA3", "digit"),
    ("slack-t", "SLACK_TOKEN", "xoxt-{z11+}", "2OPaN4dELp2", "3C0L0Q71Ja", "digit"),
    ("slack-config", "SLACK_TOKEN", "xoxe.xox{a1}-{z11+}", "S-xUE2qV1qcW4", "e-BRycEO0sp1"),
    ("slack-config-refresh", "SLACK_TOKEN", "xoxe-{z11+}", "Rcw6rMuTzym", "PQ3EBCcMHS"),
    ("slack-app", "SLACK_TOKEN", "xapp-{z20+}", "gVpGG8GiGeJq3XxkRbEH", "omHyJsueVhIcEVfwMii"),
    (
        "slack-webhook", "SLACK_WEBHOOK", "hooks.slack.com/services/{z20+}",
        "USQzIDjrK3CfzfCaYncQ",
        "CPEVBzKk236GItSctTT",
    ),
    (
        "slack-workflow", "SLACK_WEBHOOK", "hooks.slack.com/workflows/{z20+}",
        "xbnxpoXbm26FpjrNl7vp",
        "d0DIx5BhSCXeq21VmFB",
    ),
    (
        "slack-trigger", "SLACK_WEBHOOK", "hooks.slack.com/triggers/{z20+}",
        "gSHgUknZNeLNOBKc0kib",
        "8sy7ths2DoJvebvsSPt",
    ),
    (
        "discord-webhook", "DISCORD_WEBHOOK", "discord.com/api/webhooks/{z40+}",
        "BGF4W0TjtgYbWgvRmGkShFCdIyy1BMN78lkUegQi",
        "tlag0jZyni4KBPPgLuseisdZpyQ2LbDhZPCzaZM",
    ),
    (
        "discord-webhook-older", "DISCORD_WEBHOOK", "discordapp.com/api/webhooks/{z40+}",
        "Yhd85FmyeN5iwi2KjK7q9i13ShkhYJLa8coeEsfC",
        "99AzrQj1wK7513t91OviOljgvkbw2sDO9hO3HcX",
    ),
    (
        "teams-webhook", "TEAMS_WEBHOOK", ".webhook.office.com/webhookb2/{T60+}",
        "SLXYSKXj3a5IcdibdDuL0b6tPBZtgezBDcN1pNMmpV9B13alIh9RZSdMWypF",
        "yhRhwdBWs71llQty9o4uk5QA1qrJss2NsybfGWfGItDRXVfFWn0cCBZBUMg",
    ),
    (
        "teams-webhook-older", "TEAMS_WEBHOOK", "outlook.office.com/webhook/{T60+}",
        "L3z6NeA5G3NBUf35WgVjHloDQCqso1XsOFYSwOJcxHO1uDpUwIbTljDvjoru",
        "aTG0dDTql7h8RsGgHAiEeZSaWSRyVDgF0ynL990iQUopqvxSxnzJfpVS6E7",
    ),
    (
        "teams-webhook-365", "TEAMS_WEBHOOK", "outlook.office365.com/webhook/{T60+}",
        "kZeOueIJZRb7yTO112coRZIba1OlGAmZYNfOPgCjVrDkGsqsqMPITVSEaWeA",
        "VO1GPN5fN1kQG87jNQ5v5nAm7VhPVzcOXX1ZjKeCL4iHc6VNYKCZBZT83hv",
    ),
    ("zapier-webhook", "WEBHOOK", "hooks.zapier.com/hooks/catch/{z10+}", "Hlxil5WAYB", "FRJSKev8p"),
    (
        "tines-webhook", "WEBHOOK", ".tines.com/webhook/{z40+}",
        "NNj9FBX9c57oLyXNLX7Cbvq3LRt4GX9NZ0uWexRu",
        "lCHXf7uKV9ZIKR82MHwKfB54CmhKxT5Fn2T60vX",
    ),
    (
        "google-chat-webhook", "WEBHOOK", "chat.googleapis.com/v1/spaces/{C40+}",
        "nMOC0Y9ZjHayEStuFoStooxZ45DKOTIlVS24psCw",
        "qvxcTu8Q1OHtheP4Wo9igJwblUbB0p2E9Hud1ay",
    ),
    (
        "telegram-token", "TELEGRAM_TOKEN", "{d8-16}:AA{t30-36}",
        "aDgXYApUSX2Li8onNmQjPiiKgh1jUj",
        "uhwUrALqaE3mmi9RoS1CfPEsPkW87",
        "mixed",
        "35999886",
    ),
    (
        "telegram-token-any", "TELEGRAM_TOKEN", "{d8-16}:A{t32-35}",
        "4VuBUbG271WeznOCltuFmqNAY1YTNbix",
        "qUiijQfmLX4dWvtys1cdl8Jjg9AyJ4o",
        "mixed",
        "77262552",
    ),
    (
        "twilio-api-key", "TWILIO_KEY", "SK{h32}",
        "ef1F9e6d05D20fe1DB1129B803c3ccB8",
        "8DA1cE93b2b4bCC71F31EC56FEA1789",
        "digit",
    ),
    (
        "twilio-account", "TWILIO_KEY", "AC{h32}",
        "29139a46aB59b8c9E1bD4e02dFFcEB7c",
        "Eaa0C5B8A431F45F453Cbe9dFBE5ceb",
        "digit",
    ),
    (
        "sendgrid-key", "SENDGRID_KEY", "SG.{y50+}",
        "360bS1nHwXMTKjccNIpCeBuDAV9pQxVlCUSNyBJYhl7Ss2W8Pj",
        "JpkFPWYzElcL2kqpWAxSgADkYsPyRvAsj1snk07WcewzhC9RI",
    ),
    (
        "mailgun-key", "MAILGUN_KEY", "key-{h32}",
        "CF6Ac4c2204715e16bA47dCEF49ACDEb",
        "1ea7a5Cfb6BebC1aA65a04C173CCE6b",
    ),
    (
        "mailgun-public", "MAILGUN_KEY", "pubkey-{h32}",
        "A702aBeBfBC6cfBE2F5E31d7Db2F44Ed",
        "C4eBcDA7afEe81Dcb1aEEe8AB1A6b2c",
    ),
    ("mailchimp-key", "MAILCHIMP_KEY", "{h32}-us{d1-2}", "5", "", "", "75e5e5DcfffF8fc42B0Db77809cf7f19"),
    (
        "brevo-key", "BREVO_KEY", "xkeysib-{t60+}",
        "xTrmyMPVRGTnv5yOXKTfQf1yxTR6EEEpHzxFI9zBs1VjCNYqHQGNfhNDVOmq",
        "pveA4czyGI8nxeS1UdP4UqxAgfNzzi0S6g1FshEdmuwoRl7YeDFMa9tKFev",
    ),
    (
        "brevo-smtp", "BREVO_KEY", "xsmtpsib-{t60+}",
        "i8b1NBJP6TnE0VtdwXtprBJQe6BfGCuLT3jUaFwha7XhsljjIA8jpbwQdrDM",
        "UHaLO4M7e8mQqoD7qDKIMTC6RrRynUBgYxsraOvQFPJ42paGK6hpv8Xkr3Z",
    ),
    ("mandrill-key", "MANDRILL_KEY", "md-{t22}", "gagwd0CLB4te8yVlOrgy7F", "LZe7KA69HF7L0aeZuKyha", "mixed"),
    (
        "mailersend-token", "MAILERSEND_TOKEN", "mlsn.{l40+}",
        "dv1xmxj81ehp6exnozsioyc4hbelixhcv0mbdguc",
        "7nm0yg15fheq4d1fnu2ymocwpmlbvvuvwgtzw7w",
    ),
    (
        "resend-key", "RESEND_KEY", "re_{b8}_{b20+}",
        "UObNLXy0_yVF2fmX8UIGuYjAcCJjW",
        "Ls1n0FPg_cryiZg86nV4Uxv2NthT",
        "digit",
    ),
    (
        "telnyx-key", "TELNYX_KEY", "KEY{u30-40}_{b20-24}",
        "IIAKI2CWZD72ILWW70LS1WP7KPR6G2_0KVxp5wq9lddURPtrklT",
        "7WBVIUINT5G8KD3KFT51A53G7U2TO8_2zJEFoKiQkOaQXGpUd8",
    ),
    (
        "facebook-token", "FACEBOOK_TOKEN", "EAA{b60+}",
        "uclafrRiMivfR9z0VFdKgyJiFB5rzTlw4bFOkUkA0zzVcFB66KvL7O4cD6xn",
        "WdWACFCdrJcJ77NLxNSzHJL5bG8DGiFQi96mPtWqfGAxezFtlb8cGAh5ICq",
        "mixed",
    ),
    (
        "instagram-token", "INSTAGRAM_TOKEN", "IGQ{t60+}",
        "uuHTd3IkEOWJc1TIKbh8TrXtTUgCCD8F2TIAA3PdVxTCEOYHaUxkZGBiokh2",
        "EDiu7cJMUvorZZami0Zy8ZGXrflScadHQQ6PcPMrVfEfzgzckxXycRUWsDq",
        "mixed",
    ),
    (
        "pinterest-token", "PINTEREST_TOKEN", "pina_{t30+}",
        "Pl4Tce6sc9yWRzbHADtD7aVG0uvZVZ",
        "DEDlnZdaTdpXyg1Neq4DsqPwN20DK",
    ),
    (
        "twitch-stream-key", "TWITCH_KEY", "live_{d6-12}_{b24+}",
        "367438_RCHLc4vv1drlWG1jPBB9mtJH",
        "058023_5TweV5y0MDP0JOH4a2hhSJJ",
    ),
    (
        "onesignal-key", "ONESIGNAL_KEY", "os_v2_{w40+}",
        "XWUWIj24xWNk5U1xc695Vl9rEsGh7NptKnrV8tf2",
        "8DoHJ9UbMv3CBoNc9j9vSAquNSWf5KXBVaHEdFI",
    ),
    ("courier-key", "COURIER_KEY", "pk_prod_{b20+}", "k6SgNlzcDPnLWyScig88", "mFr3bPu1KyFmO0YSkql"),
    (
        "notify-key", "NOTIFY_KEY", "GCNTFY-{T60+}",
        "hGKmDEemX4Lcd1GzDrHYrZCCNjbGXEf5q7RQ46yO6RuNnzAr6gpapr5REWl0",
        "LpxShqub0DR1RUD39vin7n9eqfeTmxgJ878iDQUCIIOR8pMpwRXf2YcQMN4",
    ),
    ("linkedin-secret", "LINKEDIN_SECRET", "WPL_AP1.{s16+}", "eaQy2cRR0SdbSwcA", "6Cd0wNjxJ6rAGRj"),
    (
        "mapbox-secret", "MAPBOX_TOKEN", "sk.eyJ{x40+}",
        "0gLN4xi6kKvrwoDLgR1sWwNNFrC6ncBDP2MCbv69",
        "XzbEio998HevXPbIGlU1EybJS5Bl91HrJHUJlrt",
    ),
    (
        "mapbox-public", "MAPBOX_TOKEN", "pk.eyJ{x40+}",
        "Fa8crg2Is6vgOrE8QqACnCr6JcmsOqZkQcl6mZyc",
        "Uk5qmX77WFJNnWDjQxss1PAIYEVfoFSBaLo8i2w",
    ),
    (
        "tiktok-token", "TIKTOK_TOKEN", "act.{b40+}",
        "uNODmedAI2phslkkKzpkKrOUjMMSH9xRscebJ8nS",
        "UZtSjq2DOxe05u8AQgImvPKDV7swRI85zuTNqmM",
        "mixed",
    ),
    ("lichess-token", "LICHESS_TOKEN", "lip_{b20}", "jix8Sh1xG7feYmcNcude", "0hYUHFPHaXiYQnVAk88", "digit"),
    ("samsara-token", "SAMSARA_TOKEN", "samsara_api_{b24+}", "rRjZd9VpKhMn3ejtHlWG1DWu", "rnpGPqtUex5b1UBWVzlDgXh"),
    (
        "intra42-secret", "INTRA42_SECRET", "s-s4t2{a2}-{h60+}",
        "ck-3a6B2A7A9ff30B33E49ea77D2A1A456bE8DfD910E248E4d383C469f0bCBC",
        "Fp-AD2d3da69dDC5F9cC87B7452f9e61FFb2EE6f08A3dCc2B69C5F09EF8fD8",
    ),
    (
        "voiceflow-key", "VOICEFLOW_KEY", "VF.{x30+}",
        "2khGbYPjNATLlRAqJNrlWVFBO8qQao",
        "6PS3gwNLHsbEcRwDzye5rQXd4JJR9",
        "digit",
    ),
    ("ubidots-key", "UBIDOTS_KEY", "BBFF-{b30+}", "hmZzmTSUxND3oLXzv0pl9pDB2Yh3CG", "CKnXsJlSPZH1tCMSyERJXdZSI6d5n"),
    ("adafruit-io-key", "ADAFRUIT_KEY", "aio_{b26+}", "GURg8z6uyOthF2lk0KkvW1TUA8", "vhRXZ0Sm0xOzd3KD5buJOtloY"),
    (
        "apify-token", "APIFY_TOKEN", "apify_api_{b30+}",
        "v2kcNJ9Htueg0YP0DcKRDP5nzTb44w",
        "AExMaeiES5NfR8CsnXPv8UUFtA5Ml",
    ),
    (
        "authress-key", "AUTHRESS_KEY", "sc_{l5-40}.{t4-6}.acc{x30+}",
        "btvqh.xLyp.accOSSeA6cKVhnogJXIwFDXKxzxAuadGh",
        "ad49c.txi9.acc7hmDDPZjKnhrDkDXloSDnsJ9ZMPXv",
    ),
    (
        "authress-extension", "AUTHRESS_KEY", "ext_{l5-40}.{t4-6}.acc{x30+}",
        "z5beh.i3Hd.accPemobAqQTPrce00uOMP7Ii8MbRug2W",
        "vzv4a.lMLt.accDrWVdKHFQ1or5IS1wsM3cw0PrzzoN",
    ),
    ("settlemint-application", "SETTLEMINT_TOKEN", "sm_aat_{b14+}", "vemoJx9GMX0jHs", "GDrtXUDQMgTv5"),
    ("settlemint-personal", "SETTLEMINT_TOKEN", "sm_pat_{b14+}", "ocK2P3upOyurvf", "zEwNmywPy2tVT"),
    ("settlemint-service", "SETTLEMINT_TOKEN", "sm_sat_{b14+}", "YA07jngpCw820Z", "joHXotqbCIEis"),
    (
        "scalingo-token", "SCALINGO_TOKEN", "tk-us-{t44+}",
        "m7xy5ABfESyMcDRKt6vB6BtlU1t3goIjZMitVqaLnOiw",
        "BuXl6qfhvcmLbHizn9Y03WX29Lrnzohon6B4AFSBEZq",
    ),
    (
        "dependency-track-key", "DEPENDENCYTRACK_KEY", "odt_{b30+}",
        "xOncnJtBzhQGjVIKKNpfvX5MmYojaF",
        "VziNDM9j45RJsthbPwWwahBObWW4D",
    ),
    (
        "ionic-token", "IONIC_TOKEN", "ion_{b40+}",
        "Jnf6S24W0BwYUplYlvdrsMn2qmG8VqkobA3Vs8Qt",
        "CdA6cPDEs0X6WN3OfJgwPLekrsUwySsdYZA5AEK",
    ),
    (
        "redirect-pizza-token", "REDIRECTPIZZA_TOKEN", "rdp_{b28+}",
        "40VtJar09AhiWiQ6ypCJERLLvWKi",
        "WMVtRElwpWu1JFbK2TqlayiDxnM",
    ),
    (
        "thunderstore-token", "THUNDERSTORE_TOKEN", "tss_{b30+}",
        "huneT4J4T66ZPPII4d2EoATkp2RI8w",
        "SOAtGYy5fhA1bmlMElEJeFZoOUpdi",
    ),
    (
        "nkey-user", "NKEY_SEED", "SU{u56}",
        "87KXBEEJE25IQE74PN2Z9E2W9LMO1M35H13J6TAP37ZJOE4S8L0ICN1S",
        "GZIWNW31W7FCAXRS01T1NJ1WC27JOBROE5P3HWWLNJDB1JISJ694BCQ",
        "digit",
    ),
    (
        "nkey-account", "NKEY_SEED", "SA{u56}",
        "WLG0U2X5MC2A1O5ANXKM82ECNHKB2U48278C4HFPV9BYI982F0UA9FHS",
        "Y2VEAQBQ46JZVOFHZ461BELQO1SDCBBOGSHSDZIBVGM6LV43YDR1SO3",
        "digit",
    ),
    (
        "nkey-operator", "NKEY_SEED", "SO{u56}",
        "2INYBQ2M0QPTP9JZIYQ0KFDQTRHRXZSLAT37FYYQVRSL317F8QWMG9Y9",
        "958BJDUDDQPLLVP9Z6FJW0T7XE90HQH7B2V4MS8T5DFM3KHR9J1THM6",
        "digit",
    ),
)
# fmt: on
