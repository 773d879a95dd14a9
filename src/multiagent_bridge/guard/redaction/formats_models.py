"""Token formats of model providers and what is built on them, from the providers' own documentation and from tokens they issue.

Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

ROWS: tuple[tuple[str, ...], ...] = (
    ("anthropic-key", "ANTHROPIC_KEY", "sk-ant-{t24+}", "b4JSl7sM97dvUifirsg0dGRu", "poRdsYSHOPnkCkW4YafrzxX"),
    (
        "openai-project", "OPENAI_KEY", "sk-proj-{t30+}",
        "Zt5lZRwZbb3tOJwxKkjwWMSsci5JM8",
        "oojEFsDXJKakbt1lrHpyq36ufYtBW",
    ),
    (
        "openai-service", "OPENAI_KEY", "sk-svcacct-{t30+}",
        "AOLtBbLjOw8ezh38Nf3ricCGaxAFD4",
        "G1kFmUoXPq70Q8n4frMpH22j9BjNW",
    ),
    (
        "openai-admin", "OPENAI_KEY", "sk-admin-{t30+}",
        "pcx14riG6kAJHQRnRplBI2uzw0m4Bq",
        "dBwxJ7YwtPVM7jq8bEieokeUarBui",
    ),
    (
        "openai-session", "OPENAI_KEY", "sess-{b40}",
        "ezgbMkHCiGoaR8S8UmoxgbpLTHexQPxmecuFuGth",
        "672FurOljtwe7n6eycKzt1xVzgzxCQBiXhcFlDk",
        "mixed",
    ),
    (
        "openai-marked", "OPENAI_KEY", "sk-{t15+}T3BlbkFJ{t15+}",
        "n6W0xv4PdzKtbTET3BlbkFJR0WIN4890bz4OcE",
        "fRe6kCSuo8tdAOYT3BlbkFJhOJ7dE4McEcsG2",
    ),
    (
        "openai-long", "OPENAI_KEY", "sk-{b48}",
        "DEVpYnkFBhpuadiJP6vxsu6qvfuVufzRTN7j5ALAbMlANq3c",
        "T0GEQTzJFJjfkeSKMpv5EwuphVFp90BIUwYh5031RJsPgeA",
        "digit",
    ),
    (
        "openrouter-key", "OPENROUTER_KEY", "sk-or-v1-{h40+}",
        "aF4F2dcBE3320CbB67C3ea5B9365953B0B4F7a93",
        "5A2FAEaaBf17Ea2ea795AefCCda4b48ccECC3C1",
    ),
    (
        "langfuse-secret", "LANGFUSE_KEY", "sk-lf-{h8}-{t24+}",
        "a05e8de3-d5enE8xAqie4IgUqH1hYspRb",
        "47e0C2D9-ztCPK2ccqSOrGYRrJkWvTmb",
    ),
    ("helicone-key", "HELICONE_KEY", "sk-helicone-{t20+}", "Qh5ZLLNDcWVGA3VkgAq5", "IxVkSdjF9ioGlezc8dm"),
    ("litellm-key", "LITELLM_KEY", "sk-litellm-{t16+}", "1ejEyao2QSbG86hv", "EmNvCzXC1jQ78aS"),
    ("model-key", "API_KEY", "sk-{b20-47}", "AnekHmQRFSloRF1wOGol", "lMyrqa54AW5FE6KHt7a", "mixed"),
    (
        "model-key-hex", "API_KEY", "sk-{l32-64}",
        "cjvsx1grp9zjzk7ntvmjk2nym3yt028e",
        "r6yatbf6hwljxzolyzsa2sepyn8xitm",
        "digit",
    ),
    (
        "model-key-long", "API_KEY", "sk-{t40+}",
        "EnpmKqqtDPQT2sGNoVEdbfm1n84OJ21gFo8fIYZX",
        "ohxrpVoB7j01HM0w16fyXaqO0xdg9zbpGR5BuDS",
        "mixed",
    ),
    (
        "huggingface-token", "HUGGINGFACE_TOKEN", "hf_{b30+}",
        "oIbMNlBt8QasrOeN1KIxEPfpgY9KTI",
        "vzxrqf6d7d1xGPmPVAYJdpLkoFRNN",
    ),
    (
        "huggingface-organisation", "HUGGINGFACE_TOKEN", "api_org_{b30+}",
        "1GW291APTYVBencUB2QxoDr1mj1WKm",
        "RVRE6YyURO0Z5RfmFLCErW42tuOhr",
    ),
    (
        "replicate-token", "REPLICATE_TOKEN", "r8_{b37+}",
        "UwqTJWZJt47PXamo5qLEuV8qhNZbd5JhNrvcm",
        "pdjHQPEQcBnlLUPNWMMrbI69VuKMjGj3jFy3",
    ),
    (
        "groq-key", "GROQ_KEY", "gsk_{b40+}",
        "8erdbqPbBGBGCCVonRsU93wzhfRd3sLorKoZGB5p",
        "0fkHnfk35ISsxCepaqGma04qy1YqhER5beN7K2b",
    ),
    (
        "xai-key", "XAI_KEY", "xai-{t60+}",
        "DML8dKFBjpVlXYPOc4iIeUtTLgptyywek8jR0iYIscWaCSVcfvQ9nDPdHTlS",
        "S30iMddvp6C1kkUwMiZBM9Sk1Nh2vUnlIMRYXmuojDMvfl8E5lwsi8k5LPp",
    ),
    (
        "perplexity-key", "PERPLEXITY_KEY", "pplx-{b40+}",
        "bu3CWLhARsudwCY3zhCaqlHnWd1g7U9aEXTlUs5v",
        "odEf4NwyV3jTpWxCwmu97XuVDajeEGlg9MwoBWD",
    ),
    (
        "together-key", "TOGETHER_KEY", "tgp_v1_{t36+}",
        "ruE2YL38vbE9ze1id5QR9spJ6IvghvtuMMF9",
        "GItJxEas7cvjzW1cwHR1eNibbrQBZUqF8uK",
    ),
    (
        "nvidia-key", "NVIDIA_KEY", "nvapi-{t50+}",
        "to6PnViZiWe6cPC4ORxvyynn25KA1s30GVmSVYtE45Sio0KE62",
        "wmhxRINwAPkS3nUFfaQGAwb1aijtoU2wCvUoz7TYLgxPZS6ls",
    ),
    ("fireworks-key", "FIREWORKS_KEY", "fw_{b22-30}", "oeAi7S4B2K714P8sRc6mAM", "MXHKpjwTBGk56yy6WDpPK", "mixed"),
    (
        "cerebras-key", "CEREBRAS_KEY", "csk-{l40+}",
        "ypswjfhqiwk4upyv3r6kgo5ygufe2u5em4lwzak2",
        "iuvfi4wp3rm4ka8s4p15p7j02283xuqhlgpo2fd",
        "digit",
    ),
    ("anyscale-key", "ANYSCALE_KEY", "esecret_{b20+}", "NhrqhhNqVBsbaYM1EX2D", "3fDSoRrnCn5S5RLJ32n"),
    (
        "elevenlabs-key", "ELEVENLABS_KEY", "sk_{h48}",
        "4c2BcEA6fA6f15D8FAcc95bFCB8f0FceDbB3ebA5634fC4FC",
        "Ab0D7bDcd2e8eFAb76A208f0E66C4B2e10fF3C70dFa46Cb",
        "digit",
    ),
    (
        "langsmith-personal", "LANGSMITH_KEY", "lsv2_pt_{w30+}",
        "lMPVkvsJ4WJb9iOoZ0s9By1saXc4vr",
        "5veW9JU9y84PtMG9PoXLi1oUkOJAd",
    ),
    (
        "langsmith-service", "LANGSMITH_KEY", "lsv2_sk_{w30+}",
        "kKfgQo1RsLgk8eT2tpmekoXp2f26EZ",
        "OcaPIgPdj0bJyfT6mKg2V6g6Smdh3",
    ),
    ("tavily-key", "TAVILY_KEY", "tvly-{t24+}", "sV2SEDZTx4M0yNO4johVwCeB", "ZslCh8tP7QzZ3svL0SiAdao", "digit"),
    (
        "jina-key", "JINA_KEY", "jina_{b50+}",
        "wOQyzOqqR9W7ITM2sOzPkR7YGpjcDNuVMUl8Rv1aop8yff9i7c",
        "HSSeY1uz2Ekb1eRfemxpfFkRViwYcUfuhKvCTqUqon0folSB9",
    ),
    (
        "pinecone-key", "PINECONE_KEY", "pcsk_{w40+}",
        "SDE7G83nr97dtzYg5wiG0G4A6OXWsVeAmDYqY4Dq",
        "YC2RGz3nyMw2JEmCFUKlbuLYZmjLZ41NRHdJbFO",
    ),
    (
        "voyage-key", "VOYAGE_KEY", "pa-{t43}",
        "UfCsOVzWBeJgf7glkwjsYTATV4QIApU19OqO8IkYIlW",
        "XZtIPEcxbusKbcLtMvegZT4SzJ0IupseuT5fOyxxwm",
        "mixed",
    ),
    (
        "llamacloud-key", "LLAMACLOUD_KEY", "llx-{t40+}",
        "YsarU3p7B0eBzJ2IUCyWhRAP9jPzAQzDlIrzUZxc",
        "pAdJBlg6lqyiAL6whiHihIQKEI3b2fAYYuxmY8s",
    ),
    (
        "e2b-key", "E2B_KEY", "e2b_{h36+}",
        "34F18fF19C96E3FD5A139AaBd8EE57fADc5a",
        "257C2aBeac8E5C306e04758e3b1b71BcF0F",
    ),
    (
        "cursor-key", "CURSOR_KEY", "key_{h64}",
        "A6A0e0876C49d5cc5FBE5c6E4af13211810912E1AB940fde54D7f64F9f44C7F9",
        "cAEbe6aFC915E144c7490A11dEBfeAD67596BB350E61CA997A6Ed2dC7f69bBc",
    ),
    ("wandb-key", "WANDB_KEY", "wandb_v1_{t30+}", "DRHA0CZ8J3petyXgyWcG1bjkxXPNor", "UKObggWDPaQTBEJZi1Tbm1oxMp53K"),
    (
        "devin-user-key", "DEVIN_KEY", "apk_user_{s30+}",
        "eGdmB0XvbFyZF5lbObi8Y0lVhWmOE7",
        "GKON74ATIWfVyhLif6edGVmlW4ZJX",
    ),
    (
        "devin-service-key", "DEVIN_KEY", "apk_{s40+}",
        "Sawsp21ITxY7YeSRhSGkx8TQcZ8RJxDrXiWyJcru",
        "IbIHgN5bU5IAWqhojgq2N9Ag4WQcWKLIYG2VCUt",
        "mixed",
    ),
    (
        "devin-cognition-key", "DEVIN_KEY", "cog_{b40+}",
        "VEmX5n2UcnBPXV2uS5t7my5O7kAuDfzgIWvsdaJ5",
        "YW3rjv62RvJtZVNHea2SlGewsyty4ScKLzXbVML",
        "digit",
    ),
    (
        "brave-search-key", "BRAVE_KEY", "BSA{t27-28}",
        "uw9W1L529eIGbkcieOBTRh8Bfb8",
        "hzprHJbFItj9e2sU1zOlK6N00t",
        "mixed",
    ),
    (
        "firecrawl-key", "FIRECRAWL_KEY", "fc-{h32}",
        "7aFA5CFD4e3Bbd4fC1709D2C500A7BA1",
        "b1CA5EC2823B638cD6Af7D3d99bb5DC",
        "digit",
    ),
    ("browserbase-key", "BROWSERBASE_KEY", "bb_live_{t20+}", "Umt39LlTOcIFvSmdaAi2", "CQMKfWQiLLQpXpMaVcU", "digit"),
    ("runpod-key", "RUNPOD_KEY", "rpa_{b26+}", "tw1KQXuh29P9u5LEAaAqNPfT2e", "i3fh9nEjvHnSwX03Ur7iUewtq", "digit"),
    (
        "wundergraph-key", "WUNDERGRAPH_KEY", "cosmo_{h32}",
        "0aADc92C383bE8B7CBfd0c94Daa4FAEE",
        "83bCd87BfbAf8d3C865813AbceBcC7B",
    ),
    (
        "upstage-key", "UPSTAGE_KEY", "up_{b29-34}",
        "2e2xWEngdrfq9HgKWzd9umqZpb4bV",
        "5IAw3QZca7CCQHj6UWp3PkYOjxmn",
        "mixed",
    ),
    ("modal-id", "MODAL_KEY", "ak-{b22}", "7oqvoDpWKY3DnbCRbN92en", "htHsd2qwdZOpxaOpiKvh2", "mixed"),
    ("modal-secret", "MODAL_KEY", "as-{b22}", "CMnR0Wu98kaHyZvAhP5jd3", "LzbuCoQrb4asm0pN47h6P", "mixed"),
    (
        "langfuse-public", "LANGFUSE_KEY", "pk-lf-{h8}-{t24+}",
        "CCEC1A6F-8XZOPBO1ozO0Q2IbXFLS8ciK",
        "A4Dcb11e-EyaorK8Df7dpBGn4Ie3f7zu",
    ),
)
