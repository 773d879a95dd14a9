"""Token formats of model providers and what is built on them.

Written from the providers' documentation and from the form of the tokens they issue.
Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

# fmt: off
ROWS: tuple[tuple[str, ...], ...] = (
    ("anthropic-key", "ANTHROPIC_KEY", "sk-ant-{t24+}", "HUpDLrIm1dR4McgEL6WhXWIR", "FPu3QjP6FyLAG967z5kvGZe"),
    (
        "openai-project", "OPENAI_KEY", "sk-proj-{t30+}",
        "WXNjkSMcztPPNqkybOC0p2VurFA4u2",
        "BVFHGqRb4JSl7sM97dvUifirsg0dG",
    ),
    (
        "openai-service", "OPENAI_KEY", "sk-svcacct-{t30+}",
        "upoRdsYSHOPnkCkW4YafrzxXnZt5lZ",
        "RwZbb3tOJwxKkjwWMSsci5JM8oojE",
    ),
    (
        "openai-admin", "OPENAI_KEY", "sk-admin-{t30+}",
        "sDXJKakbt1lrHpyq36ufYtBWPAOLtB",
        "bLjOw8ezh38Nf3ricCGaxAFD4G1kF",
    ),
    (
        "openai-session", "OPENAI_KEY", "sess-{b40}",
        "UoXPq70Q8n4frMpH22j9BjNW6pcx14riG6kAJHQR",
        "nRplBI2uzw0m4BqdBwxJ7YwtPVM7jq8bEieokeU",
        "mixed",
    ),
    (
        "openai-marked", "OPENAI_KEY", "sk-{t15+}T3BlbkFJ{t15+}",
        "rBuiCezgbMkHCiGT3BlbkFJoaR8S8UmoxgbpLT",
        "HexQPxmecuFuGthT3BlbkFJ672FurOljtwe7n",
    ),
    (
        "openai-long", "OPENAI_KEY", "sk-{b48}",
        "eycKzt1xVzgzxCQBiXhcFlDkOn6W0xv4PdzKtbTER0WIN489",
        "0bz4OcEfRe6kCSuo8tdAOYhOJ7dE4McEcsG27DEVpYnkFBh",
        "digit",
    ),
    (
        "openrouter-key", "OPENROUTER_KEY", "sk-or-v1-{h40+}",
        "a014BEab9a8a2aa2cFD4dCd0D5dD81AfFcBfB425",
        "2CD7afba73f7dBb3FB9E32daF4F2dcBE3320CbB",
    ),
    (
        "langfuse-secret", "LANGFUSE_KEY", "sk-lf-{h8}-{t24+}",
        "7C3ea5B9-18hmZlWtkWg5JbIYiUR7pTSv",
        "935A2FAE-uvJEdp6PufDuo1skGSCFKXK",
    ),
    ("helicone-key", "HELICONE_KEY", "sk-helicone-{t20+}", "uiw0jrzSz3OKLgLdzSva", "SkT7D94rADhd5enE8xA"),
    ("litellm-key", "LITELLM_KEY", "sk-litellm-{t16+}", "ie4IgUqH1hYspRb8", "jp6D3bLfMsztCPK"),
    ("model-key", "API_KEY", "sk-{b20-47}", "VkSdjF9ioGlezc8dmO1e", "jEyao2QSbG86hvEmNvC", "mixed"),
    (
        "model-key-hex", "API_KEY", "sk-{l32-64}",
        "2ja0nek7m5lo5w6ollyrqa0547tacjvs",
        "x1grp9zjzk7ntvmjk2nym3yt028er6y",
        "digit",
    ),
    (
        "model-key-long", "API_KEY", "sk-{t40+}",
        "ZPtWYbZfGZ7hwSljxzM7oTXlKyzsa24Cs5eMQpXy",
        "nKIUxWiX6Ztm3yEnpmKqqtDPQT2sGNoVEdbfm1n",
        "mixed",
    ),
    (
        "huggingface-token", "HUGGINGFACE_TOKEN", "hf_{b30+}",
        "4OJ21gFo8fIYZXohxrpVoB7j01HM0w",
        "16fyXaqO0xdg9zbpGR5BuDSAoIbMN",
    ),
    (
        "huggingface-organisation", "HUGGINGFACE_TOKEN", "api_org_{b30+}",
        "Bt8QasrOeN1KIxEPfpgY9KTIvzxrqf",
        "6d7d1xGPmPVAYJdpLkoFRNNF1GW29",
    ),
    (
        "replicate-token", "REPLICATE_TOKEN", "r8_{b37+}",
        "APTYVBencUB2QxoDr1mj1WKmRVRE6YyURO0Z5",
        "RfmFLCErW42tuOhrLUwqTJWZJt47PXamo5qL",
    ),
    (
        "groq-key", "GROQ_KEY", "gsk_{b40+}",
        "uV8qhNZbd5JhNrvcmpdjHQPEQcBnlLUPNWMMrbI6",
        "9VuKMjGj3jFy3y8erdbqPbBGBGCCVonRsU93wzh",
    ),
    (
        "xai-key", "XAI_KEY", "xai-{t60+}",
        "Rd3sLorKoZGB5p0fkHnfk35ISsxCepaqGma04qy1YqhER5beN7K2bkDML8dK",
        "FBjpVlXYPOc4iIeUtTLgptyywek8jR0iYIscWaCSVcfvQ9nDPdHTlSS30iM",
    ),
    (
        "perplexity-key", "PERPLEXITY_KEY", "pplx-{b40+}",
        "dvp6C1kkUwMiZBM9Sk1Nh2vUnlIMRYXmuojDMvfl",
        "8E5lwsi8k5LPpjbu3CWLhARsudwCY3zhCaqlHnW",
    ),
    (
        "together-key", "TOGETHER_KEY", "tgp_v1_{t36+}",
        "1g7U9aEXTlUs5vodEf4NwyV3jTpWxCwmu97X",
        "uVDajeEGlg9MwoBWDuruE2YL38vbE9ze1id",
    ),
    (
        "nvidia-key", "NVIDIA_KEY", "nvapi-{t50+}",
        "QR9spJ6IvghvtuMMF9GItJxEas7cvjzW1cwHR1eNibbrQBZUqF",
        "8uKtto6PnViZiWe6cPC4ORxvyynn25KA1s30GVmSVYtE45Sio",
    ),
    ("fireworks-key", "FIREWORKS_KEY", "fw_{b22-30}", "KE62wmhxRINwAPkS3nUFfa", "QGAwb1aijtoU2wCvUoz7T", "mixed"),
    (
        "cerebras-key", "CEREBRAS_KEY", "csk-{l40+}",
        "gxlsoe0i1scm07pjw16kyy3pypswjfhqiwk4upyv",
        "3r6kgo5ygufe2u5em4lwzak2iuvfi4wp3rm4ka8",
        "digit",
    ),
    ("anyscale-key", "ANYSCALE_KEY", "esecret_{b20+}", "EpB6SF5pHjAC5CIDxT0P", "uqhlUgKUW33WpoCfdZo"),
    (
        "elevenlabs-key", "ELEVENLABS_KEY", "sk_{h48}",
        "38833D8d900Dfe2e7F86e6FCB694c2BcEA6fA6f15D8FAcc9",
        "5bFCB8f0FceDbB3ebA5634fC4FCAb0D7bDcd2e8eFAb76A2",
        "digit",
    ),
    (
        "langsmith-personal", "LANGSMITH_KEY", "lsv2_pt_{w30+}",
        "6rVEaVPn3mL243ZjJeDd3aFW2RgLZp",
        "b18ZAR5vYjUmKxOlMPVkvsJ4WJb9i",
    ),
    (
        "langsmith-service", "LANGSMITH_KEY", "lsv2_sk_{w30+}",
        "oZ0s9By1saXc4vr5veW9JU9y84PtMG",
        "9PoXLi1oUkOJAdDkKfgQo1RsLgk8e",
    ),
    ("tavily-key", "TAVILY_KEY", "tvly-{t24+}", "2tpmekoXp2f26EZOcaPIgPdj", "0bJyfT6mKg2V6g6Smdh39sV", "digit"),
    (
        "jina-key", "JINA_KEY", "jina_{b50+}",
        "SEDZTx4M0yNO4johVwCeBZslCh8tP7QzZ3svL0SiAdaoawOQyz",
        "OqqR9W7ITM2sOzPkR7YGpjcDNuVMUl8Rv1aop8yff9i7cHSSe",
    ),
    (
        "pinecone-key", "PINECONE_KEY", "pcsk_{w40+}",
        "1uz2Ekb1eRfemxpfFkRViwYcUfuhKvCTqUqon0fo",
        "lSB9OSDE7G83nr97dtzYg5wiG0G4A6OXWsVeAmD",
    ),
    (
        "voyage-key", "VOYAGE_KEY", "pa-{t43}",
        "qY4DqYC2RGz3nyMw2JEmCFUKlbuLYZmjLZ41NRHdJbF",
        "OfUfCsOVzWBeJgf7glkwjsYTATV4QIApU19OqO8IkY",
        "mixed",
    ),
    (
        "llamacloud-key", "LLAMACLOUD_KEY", "llx-{t40+}",
        "lWXZtIPEcxbusKbcLtMvegZT4SzJ0IupseuT5fOy",
        "xxwmxYsarU3p7B0eBzJ2IUCyWhRAP9jPzAQzDlI",
    ),
    (
        "e2b-key", "E2B_KEY", "e2b_{h36+}",
        "cb17d1Bd5358c4dCb34A43BFCfB02dab69b3",
        "4F18fF19C96E3FD5A139AaBd8EE57fADc5a",
    ),
    (
        "cursor-key", "CURSOR_KEY", "key_{h64}",
        "57C2aBeac8E5C306e04758e3b1b71BcF0FcA6A0e0876C49d5cc5FBE5c6E4af13",
        "211810912E1AB940fde54D7f64F9f44C7F9cAEbe6aFC915E144c7490A11dEBf",
    ),
    ("wandb-key", "WANDB_KEY", "wandb_v1_{t30+}", "GNnpks8mJIgkbXPmYcKGttp4HnO7U3", "0AeALpF5ms81VwVJ4VzaDRHA0CZ8J"),
    (
        "devin-user-key", "DEVIN_KEY", "apk_user_{s30+}",
        "petyXgyWcG1bjkxXPNorUKObggWDPa",
        "QTBEJZi1Tbm1oxMp53KgeGdmB0Xvb",
    ),
    (
        "devin-service-key", "DEVIN_KEY", "apk_{s40+}",
        "yZF5lbObi8Y0lVhWmOE7GKON74ATIWfVyhLif6ed",
        "GVmlW4ZJXsSawsp21ITxY7YeSRhSGkx8TQcZ8RJ",
        "mixed",
    ),
    (
        "devin-cognition-key", "DEVIN_KEY", "cog_{b40+}",
        "DrXiWyJcruIbIHgN5bU5IAWqhojgq2N9Ag4WQcWK",
        "LIYG2VCUtYVEmX5n2UcnBPXV2uS5t7my5O7kAuD",
        "digit",
    ),
    (
        "brave-search-key", "BRAVE_KEY", "BSA{t27-28}",
        "zgIWvsdaJ5YW3rjv62RvJtZVNHe",
        "a2SlGewsyty4ScKLzXbVMLguw9",
        "mixed",
    ),
    (
        "firecrawl-key", "FIRECRAWL_KEY", "fc-{h32}",
        "C2BA05142EdF3d203c78AB0fB9429cE5",
        "CD9e7aFA5CFD4e3Bbd4fC1709D2C500",
        "digit",
    ),
    ("browserbase-key", "BROWSERBASE_KEY", "bb_live_{t20+}", "3US6pXIHcwd7LYGlPLe2", "qfhISn8Y4YhqzYM4mHF", "digit"),
    ("runpod-key", "RUNPOD_KEY", "rpa_{b26+}", "NhAs6twxZl72MKfUmt39LlTOcI", "FvSmdaAi2CQMKfWQiLLQpXpMa", "digit"),
    (
        "wundergraph-key", "WUNDERGRAPH_KEY", "cosmo_{h32}",
        "1f9bCFa3EaCfd0d8DE224236f4aA6b84",
        "2b98a0aADc92C383bE8B7CBfd0c94Da",
    ),
    (
        "upstage-key", "UPSTAGE_KEY", "up_{b29-34}",
        "jRH8ZWS8OOrhw914WLAr84oJ6ExHF",
        "rBgKqmkrXW4cgHST2x5zDIyKpIu2",
        "mixed",
    ),
    ("modal-id", "MODAL_KEY", "ak-{b22}", "2xWEngdrfq9HgKWzd9umqZ", "pb4bV5IAw3QZca7CCQHj6", "mixed"),
    ("modal-secret", "MODAL_KEY", "as-{b22}", "Wp3PkYOjxmn67oqvoDpWKY", "3DnbCRbN92enhtHsd2qwd", "mixed"),
    (
        "langfuse-public", "LANGFUSE_KEY", "pk-lf-{h8}-{t24+}",
        "E7b0E74C-vh2pCMnR0Wu98kaHyZvAhP5j",
        "1Cc0ae7F-rb4asm0pN47h6PRKLOKcGnQ",
    ),
)
# fmt: on
