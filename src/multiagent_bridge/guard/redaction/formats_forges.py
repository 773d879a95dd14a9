"""Token formats of code hosts, registries, build services and planning tools, from the providers' own documentation and from tokens they issue.

Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

ROWS: tuple[tuple[str, ...], ...] = (
    (
        "github-app-jwt", "GITHUB_TOKEN", "ghs_{d1+}_eyJ{x40+}",
        "4_eyJCyD5eYNFlVQlgiBKfXRM88SGEpMK4kzJhbssGyYN",
        "0_eyJlai4fjqBOrWedZUCvJpurPLuSoHd55W42KcEmG4",
    ),
    (
        "github-app-jwt-any", "GITHUB_TOKEN", "ghs_{w1-40}eyJ{x60+}",
        "ieyJySzySKCpoDktnQ4RTxKf9NWp5rJOke9HwJ4zIuhqjAzpZbDdbIvxLzQnHlCT",
        "6eyJo8bs5KsV6kv9z3GzUWwdzTZlOAriOneOLiS1LLwjovr0kE4H5isLslJjrkE",
    ),
    (
        "github-classic", "GITHUB_TOKEN", "ghp_{w34+}",
        "jyQTtQJI5zFdjkEUMVaAfSd48vmp3Um6s2",
        "16GOsiaShFFJTEgD4fQXkBxK6ODqh5in3",
        "crc",
    ),
    (
        "github-oauth", "GITHUB_TOKEN", "gho_{w34+}",
        "NYKC2jwqK8uc6qGAie8DZiCx2MZU5kQBsR",
        "QAVobvRO4suPmow75p1QxjJMtIR5DHxOA",
        "crc",
    ),
    (
        "github-user", "GITHUB_TOKEN", "ghu_{w34+}",
        "OZO480ikI7suKAbHb5OSPextCVzfvBI3qe",
        "TzbA6WXux0iu47ON6WVQjznpKemXPD3gI",
        "crc",
    ),
    (
        "github-server", "GITHUB_TOKEN", "ghs_{w34+}",
        "UODQkrdkHNpp7mj8XZqPtcRchzIjND1odM",
        "Jf5gEhZ1csQ0Axv4gI0EqIzELfltwXIi2",
        "crc",
    ),
    (
        "github-refresh", "GITHUB_TOKEN", "ghr_{w34+}",
        "p4Aohw246fu0zJooaZjqhjymO5ZiCpQCOe",
        "Kertxig2auHfhrIFkDU0jdBULhHjzPMtn",
        "crc",
    ),
    (
        "github-fine-grained", "GITHUB_TOKEN", "github_pat_{w50+}",
        "Jx8Ya0ImlS8EURiXgujrnfTqnPH54CZ4Sjj9mLUatha2qUx8Jm",
        "SHXAdrUxqOfR2cjY4ZrhoQ6LjECpjD7ClOlHaNxva2v3oSWc5",
    ),
    ("gitlab-personal", "GITLAB_TOKEN", "glpat-{t16+}[.{b9+}]", "Zjs1QUcHIPB1z0jA", "4SuA3MQiCE1j9wS"),
    (
        "gitlab-personal-new", "GITLAB_TOKEN", "glpat-{t20+}.{b2}.{b7+}",
        "Hn70n5LUCu2z7ha3UNuA.AO.iO1cdeg",
        "tOP4KRa48IlFRhS4lo2s.aB.99L7R7",
    ),
    ("gitlab-deploy", "GITLAB_TOKEN", "gldt-{t16+}", "jDtHaS1sqeWCN6bd", "vcdmKjs8tmxonnz"),
    ("gitlab-runner", "GITLAB_TOKEN", "glrt-{t16+}[.{b9+}]", "ibP53uybERtJR4G3", "31kJ10AfNFpI5dS"),
    (
        "gitlab-runner-new", "GITLAB_TOKEN", "glrt-{t20+}.{b2}.{b7+}",
        "GR3zK72Q0q2kQQ8BHBYC.7S.aKK28ha",
        "9OxK8tgHwVJknUUnVNjX.VT.DnsoZd",
    ),
    ("gitlab-runner-registration", "GITLAB_TOKEN", "glrtr-{t16+}", "Abu0v2uT81DMJyIF", "egyJ8jlNV4b0Ak8"),
    ("gitlab-runner-legacy", "GITLAB_TOKEN", "GR1348941{t18+}", "Kfc2zUSp1D59pOxKN9", "agNueqKi6yhVNTNgF"),
    ("gitlab-job", "GITLAB_TOKEN", "glcbt-{t16+}", "CRhzFMZOGpW6nVTW", "UAlrHnYOVbXSFnM"),
    ("gitlab-trigger", "GITLAB_TOKEN", "glptt-{t16+}", "GZAexluOnlrYp7Zd", "yltZ0ZSOgd1J8mZ"),
    ("gitlab-feed", "GITLAB_TOKEN", "glft-{t16+}", "B1xOXblMpGPy7J05", "Rsmjt0dx4WnowUz"),
    ("gitlab-mail", "GITLAB_TOKEN", "glimt-{t16+}", "rN5veTkXwkvomxGw", "vmQSjJK46nvfUdd"),
    ("gitlab-agent", "GITLAB_TOKEN", "glagent-{t16+}", "Q0sl9Ypi11Xd9VX4", "evABGcnSh9UUIYg"),
    ("gitlab-oauth", "GITLAB_TOKEN", "gloas-{t16+}", "MTPHUJmFLmcxI7mW", "htV3hhQ4kZr50Ek"),
    ("gitlab-scim", "GITLAB_TOKEN", "glsoat-{t16+}", "cplCl84JkVPItVch", "HiWFg398brNkdKJ"),
    ("gitlab-feature-flag", "GITLAB_TOKEN", "glffct-{t16+}", "IlFUv9Pzr9YEakno", "LKnT5xlpD7iQkT2"),
    ("gitlab-workspace", "GITLAB_TOKEN", "glwt-{t16+}", "tQJfIsDTWUhsrwSI", "FJsWRz2fDf0w9DX"),
    (
        "gitlab-session", "GITLAB_TOKEN", "_gitlab_session={l24+}",
        "0lrr67dhlwsqjcrprsq3c17d",
        "6nyhv8pd08jepaxcnjk3qtl",
        "digit",
    ),
    (
        "bitbucket-app-password", "BITBUCKET_TOKEN", "ATBB{b30+}",
        "8bks7DF4cJAQzf1DQc2gM78mdlViKY",
        "NBuRRV7GGSmdIe56BrsrRGfMCjlhm",
        "digit",
    ),
    (
        "bitbucket-repository", "BITBUCKET_TOKEN", "ATCTT3xFfG{y60+}",
        "PL7UjK8cAyhGd0BmQWBEj2IlDYGeFzK5kTzDWQQw5uMVmD4tDzshUcAtG00S",
        "gw7x2Qj7hX3lW28AyB5wSkuza4mOFYn6Ms8dszQjXfpDe3cXbM3cKC9N1Wu",
    ),
    (
        "atlassian-token", "ATLASSIAN_TOKEN", "ATATT3xFfG{z60+}",
        "XBK72AkLyGH5OqG2k9jsBmgrzyXezPFGE9TlOVMNet9xcbuVSGNcuDPxAULA",
        "4muxjdmrOJAw7MXOSocNfQFeDmABwSG0U1SV3o4jqszWju3WUOUQO6CZGij",
    ),
    (
        "atlassian-scoped-token", "ATLASSIAN_TOKEN", "ATSTT3xFfG{y60+}",
        "IPjRrlDxg5g0jIHGdAswg9qUgTKXJDqUNvmb2dKaKUS4erZLKsaHzCzOLfMj",
        "7STQ5Wq9tajazXpavgOswW2HP96Q4r6xGg8qD7FHCRh2CrOsjJIYeGwZtMi",
    ),
    (
        "sourcegraph-token", "SOURCEGRAPH_TOKEN", "sgp_{w40+}",
        "GtYsJYLVpjXgQuQuShHY8z3iKwiMmdURVdysETJb",
        "KoYSlEf4cvBZ879M3VuDvzSc9hurL8cOEsZaXNn",
    ),
    (
        "sourcegraph-licence", "SOURCEGRAPH_TOKEN", "slk_{h64}",
        "cEBc07F346631EfE5733fCceF487E1EDe7dA30B6A220cFda7801ca964efCF3Be",
        "2CFDC041cCB4cB4B13ACbcBF201E194EFA9EEa80Ea5C7f7bB382F5cFaC02C78",
    ),
    (
        "circleci-personal", "CIRCLECI_TOKEN", "CCIPAT_{w40+}",
        "B9HUA9wn43vwPl6YGk6Pa2PH1lTn4svBHn2f35YA",
        "oUJJ5yTIxwZq2TU9fq0ClIiv52wv8Qict9pxvLF",
    ),
    (
        "circleci-project", "CIRCLECI_TOKEN", "CCIPRJ_{w40+}",
        "PQiTRTZHYLUtUkAvpOqErSBOGrRlPKYYM8tRBjdB",
        "GgFH9UenTL6ahG2xHoTp9Uf8nyhC2HqqetAyy69",
    ),
    (
        "buildkite-user", "BUILDKITE_TOKEN", "bkua_{b30+}",
        "yrVGTaTGuV4r86t1ZVObL0EhqJMd6D",
        "PvAvA3Zq88GqDZh7z2bIjURcVPs3P",
    ),
    (
        "buildkite-agent", "BUILDKITE_TOKEN", "bkat_{b30+}",
        "TJHiyH6MDWBdLjTEe7k3VDcy0FHT0H",
        "xPrCrbfCVY8VrWZPJGgneV8hVuy7C",
    ),
    (
        "buildkite-registration", "BUILDKITE_TOKEN", "bkar_{b30+}",
        "N6oi48Wv7LCoE2Es3K3ri2GS4w2M80",
        "Y9p3s5uQS9m2HUbUf55rD3G6IHPX7",
    ),
    (
        "buildkite-cluster", "BUILDKITE_TOKEN", "bkct_{b30+}",
        "cmj9BRZ1ObBrKbYH8WgZONmuagC5CY",
        "H1vzSItQ4GmYcgN7vDcljRobs3lMU",
    ),
    (
        "buildkite-job", "BUILDKITE_TOKEN", "bkaj_{x30+}",
        "jWAQdqb8kZKhupRhQVp07VCvaJ3zDu",
        "mRXj1TVx66jG7kYA32mlSaLPCd2Jl",
    ),
    (
        "buildkite-portal", "BUILDKITE_TOKEN", "bkpt_{b30+}",
        "DQw1bdSRbYV1LiCd15xTvy07KSaJTt",
        "UDTuRnKPYbY3PFgQ4AAhuSdVO9Dta",
    ),
    (
        "buildkite-package", "BUILDKITE_TOKEN", "bkpat_{b30+}",
        "Tkk2It6tFZ8AfdX5FlKWc6G2KvA6la",
        "uMDSgMvOr5JuK97BmDxPM9ASxpgc8",
    ),
    (
        "buildkite-registry", "BUILDKITE_TOKEN", "bkrt_{b30+}",
        "3lGejlzsZCeNSSQa7hZlIpBwhObfmP",
        "nkLf3pRxpHP2LxfKuPq0zqsf6Axft",
    ),
    (
        "buildkite-service", "BUILDKITE_TOKEN", "bkssa_{b30+}",
        "JiGJQWJ3195yJnPFo3e0EGKMc95gTd",
        "p1ORLfhsX4cmA6VwZAoF3yYMTOBmq",
    ),
    (
        "harness-personal", "HARNESS_TOKEN", "pat.{t20-24}.{b20-26}.{b18-22}",
        "2UPIf9mPsLFj5LYGGMT1.fSdjigc4k7tNAyykw29M.9GKV0n8Eea4vtTF1B0",
        "2dWQRPeyqBoOLThLHbYG.L1P19nZl4vNZazhbewSZ.oX7mXfO9ru9SvFj19",
    ),
    (
        "harness-service", "HARNESS_TOKEN", "sat.{t20-24}.{b20-26}.{b18-22}",
        "46ccYXwoYuEdqjA6YsVc.84QgfnTEpMr2HbiMjN2E.P7AcB5MG3Q8Zn7Xmy2",
        "8y6ZdgDwFvWyYZViHLMj.A4i2s1emi4FEIckl0fAi.Vy7Lhm1U1L3cfGKJO",
    ),
    (
        "npm-token", "NPM_TOKEN", "npm_{b34+}",
        "yalNYNuozydICQy3dzOYR0hFo7vmlwwSwj",
        "aRI9GNCONjBNLwm8YDzJXgTFSla88dGjq",
        "crc",
    ),
    (
        "pypi-token", "PYPI_TOKEN", "pypi-AgE{t40+}",
        "YBX9TL0UUKuIrgGIlhK3gDwMFBMaGBeVK2YV4lIh",
        "8eUWLWNcufLgndpWGtHO6RizRwuzjH6z17PZkiX",
    ),
    (
        "rubygems-key", "RUBYGEMS_KEY", "rubygems_{h48}",
        "db4f8E9E5FFf7Cb4Dd06f66306ff8Ebf0A8213EdafEF0A27",
        "75eA3FFD8a8b55AE3b5EB2eDfD998B8aBBCD9e5F70CBB1E",
    ),
    (
        "nuget-key", "NUGET_KEY", "oy2{l43}",
        "k5cb3l6liy94vm315fxf6vikcvm3i4yuccbpian7o24",
        "76qtema19i0j73hyeyo7u22fx9fduh9noqptigavo0",
    ),
    (
        "crates-token", "CRATES_TOKEN", "cio{b32}",
        "KGr1H59n2bvjafAqXthfYP6aHg9Ubdfz",
        "5Sa23KTmbNj45veaJkVv6sVp4e3VeJa",
        "mixed",
    ),
    (
        "clojars-token", "CLOJARS_TOKEN", "CLOJARS_{h50+}",
        "06F1bDCB3DC2ADaFbD13AdDDFFC90520E72ecAc79bBbdCEf92",
        "78c749C0F05E8E9Cf3721A62bcD3EF1Ce376eBF03A76AA33F",
    ),
    (
        "cloudsmith-key", "CLOUDSMITH_KEY", "csa_{b30+}",
        "vTak01QJyVbgGhMFYFZK6CYPdTH66u",
        "aBv0Y9lb9ZUs7EK5zf2IQm97L7Qd3",
    ),
    (
        "artifactory-key", "ARTIFACTORY_KEY", "AKC{b65-80}",
        "QEe1pCY36LRqU3ypzqs2CxNPSjfMRFCVyV4TpZpHDgxqoFi9rQn6Wf8QZHKvEeqby",
        "K7Jt0hVZSeGsXzIaAoMfAXZDVhP4dznJUJzwypOaHzsofnaQJqETb3olXB2QYvhY",
        "digit",
    ),
    (
        "artifactory-reference", "ARTIFACTORY_KEY", "cmVmdGtu{b56}",
        "4MO7ojgQ7Zw8m8M5KqkuDe6BhpkfZm9lEKWX3H7uvzLiQ0q54dvySiwU",
        "ZPZ59BHfQLBLAYZ9GMe5EXC5NSe74NzxgJuq2zV9OwUpHOnHrwBx8S7",
    ),
    (
        "sonar-project", "SONAR_TOKEN", "sqp_{b40+}",
        "mBmUh03HFTXA3z1GinacFVXc3crK395foevWu7bX",
        "l0GAnXu6cESFtR1G5cTeouoGNPctOiUJnfEfbDL",
    ),
    (
        "sonar-user", "SONAR_TOKEN", "squ_{b40+}",
        "QqtG9fpzqlP3PfAzcbSgGB4uWOBxB3aFELiZio4h",
        "GCkWkJFoleFXRfWfglTiMIcueoTHtUBJ4ESAyD1",
    ),
    (
        "sonar-global", "SONAR_TOKEN", "sqa_{b40+}",
        "ewIMLhmiZAbrGAHETVPdJppkWfQzM6pw9vZI7Hl8",
        "cAc3LXzqDgEWmpRrnEZht7OLmbw1nJe3ErE5dp9",
    ),
    (
        "deno-personal", "DENO_TOKEN", "ddp_{b32+}",
        "dMheU6PcMwzjQ1KoTFMKJbFhOyjkBhYd",
        "r1vEEv2jFl39ri2UHSD2kQ5vBB72LO9",
    ),
    (
        "deno-workspace", "DENO_TOKEN", "ddw_{b32+}",
        "TnljdpazX6FizIUJ6sIZDAQmu2UUH6La",
        "RyPomfdfsRPkaMRVZGhM2P13zBZtFPQ",
    ),
    (
        "deno-organisation", "DENO_TOKEN", "ddo_{b32+}",
        "t1eQt91VWohvY6PEBRYEo5KZnjBaWA31",
        "dh0zEJdYvGfdAqIK7SMVVNAlwF4gT6x",
    ),
    ("jsr-token", "JSR_TOKEN", "jsrp_{b30+}", "GDmbpZGGlSTDXGSwDibGGYBHi58FAI", "dyajpPW3g9TplWwFJaKp5nrHH5ccD"),
    (
        "packagist-token", "PACKAGIST_TOKEN", "packagist_{a3}_{h60+}",
        "sHc_de0ffD57dc37a4A652a9d6c8BD07Ec7BCFF9B1Cbdecb7B25f886d27bCEC2",
        "EVe_0ABAcEf8a574b80dB0c2527E6c25dDF86a76413642051c78eDd54bEa45E",
    ),
    (
        "stackhawk-key", "STACKHAWK_KEY", "hawk.{t16+}.{t16+}",
        "HTAJMIEw9RFP9yRK.KeRkOMLmRVEHFKpo",
        "fXpsXiVvymQkgxD8.CNiV0aeODtVlfER",
    ),
    ("endor-secret", "ENDORLABS_KEY", "endr+{t12+}", "HP8b3xVGVKWA", "GiD21f2WJUr"),
    (
        "infracost-key", "INFRACOST_KEY", "ico-{b32}",
        "WZUfVKmIZt72GxAiNtqLse5zKbPYjAqq",
        "IKNoj2SQXImbHsIm44iB5vEXvBfDaGK",
    ),
    (
        "readme-key", "README_KEY", "rdme_{l50+}",
        "dlz2arzginr37scdt5a0adbpfkrlrruf0upz4g4t05vlhbtouq",
        "9pasbz667o6ulktbog9ymwhf3nfw4x4wb9eqs23p0os0k24zm",
    ),
    (
        "prefect-user", "PREFECT_KEY", "pnu_{b34+}",
        "UXc6xfZMybmEkO36ToHzrkOyGbeWJVDKYU",
        "h9PuyVOFBsBwsb0IWnf0vTbyZBwWGqcu4",
    ),
    (
        "prefect-bot", "PREFECT_KEY", "pnb_{b34+}",
        "SrzsDWrKCj0FQQSzYswhZ7PZcdVfknS6Zv",
        "URVuMr74Ggdahf6IojJqnHygmHuByJKyl",
    ),
    (
        "linear-key", "LINEAR_KEY", "lin_api_{b32+}",
        "ijVKR0lQpUO1F5Abvu3XRDXMIvxhgalx",
        "HNPfTTmMlhuxk5eKWVMimnZtzT38Q5a",
    ),
    (
        "linear-oauth", "LINEAR_KEY", "lin_oauth_{b32+}",
        "d3JClyIjzW9zK4NOdWDGUXoLBoahF4g1",
        "nTO2B6RBoemmbWbhRrC8SgaSQApL4xO",
    ),
    (
        "notion-token", "NOTION_TOKEN", "ntn_{b40+}",
        "Uc6rYgRLzS7TvVjLKEEQ88xYIjT6RsKVKFiQSvCF",
        "COCqJrGeBaI7Y10AQm4prIcKxzve6GHPNM94xU0",
        "digit",
    ),
    (
        "notion-secret", "NOTION_TOKEN", "secret_{b43}",
        "C7y0go9sbmzUFIbOjWaqZWX9cceONJe5AD436dcbW8h",
        "iYLY8Ku3ozMqXoDOl2A05oqFMzN9EAPhww0aTn34wj",
        "digit",
    ),
    (
        "airtable-token", "AIRTABLE_TOKEN", "pat{b14}.{h60+}",
        "RlmYladqnSYMxp.4da05A7D358c7ff9cCc397cF47569B3dA6235afdd7F08F42FE6E041dc2aD",
        "2cM5T1omNPLMe9.f510ceE1cEBff8fcc6a893874fCFeF7a52F9b81e1955D5C2d8503beCc7F",
    ),
    (
        "airtable-oauth", "AIRTABLE_TOKEN", "{w6-64}.v1.{w8+}.{b10+}",
        "YbVWrdbc.87yNYTPiMY",
        "2QzJMzdW.yhPmGAZIq",
        "digit",
        "cZSSVq",
    ),
    (
        "postman-key", "POSTMAN_KEY", "PMAK-{h24}-{h34}",
        "0C081dfA07BFA6a78c0A2f4d-aC8Ebea97ea129C7eb80b0d46CF0eD9d44",
        "9E01B98EF3871f572Dd851Ed-b236670A7dE3FbE480D5DcaE2DFb2BFdf",
    ),
    ("postman-token", "POSTMAN_KEY", "PMAT-{u26}", "1R915LDXENBCE7KVWQV670K3CC", "1A1ICJ0CQ5AKNLS7ZQKOWVHTW"),
    (
        "figma-token", "FIGMA_TOKEN", "figd_{t36+}",
        "BwrWrpaBqs9zShZfmsYyk1sqVIQBG9oB7lXA",
        "eTM5f0w0v8FdOgPkUt6RlTodwZCa7Xg9sve",
    ),
    (
        "figma-oauth", "FIGMA_TOKEN", "figo_{t36+}",
        "iwoZotN6hiNFgHbe32UWkEltb4g4DAJjk5Gp",
        "LZMFVkptfgbiaROLn8fJj1hYopa06NYgZRD",
    ),
    (
        "clickup-token", "CLICKUP_TOKEN", "pk_{d6-12}_{u32}",
        "651849_WRDDNZ060EXMXSTO0D8UBSP4TCIULGSA",
        "862321_1QSF894BYPFLBNHGC73P48Q2Y5AHG92",
    ),
    (
        "trello-token", "TRELLO_TOKEN", "ATTA{h64+}",
        "3C789652AE386331d8a792CdCF107eE4ee3B5c549f383A14c7f0EDfCAAEFbB65",
        "2264B6fE483235A1Efb0A80acc98a9E57ccbCC8b2dFF5AD72dDb8aC05FC3F76",
    ),
    ("octopus-key", "OCTOPUS_KEY", "API-{u26}", "SDTYLLDRS3ENVR6K67DGN5W1DB", "LQIQ1Z81EES7EZUFX76QN0PZU", "digit"),
    (
        "codemagic-token", "CODEMAGIC_TOKEN", "codemagic_{t30+}",
        "LEoB2HSOhdboy69kU3g2NlvidgwUOE",
        "Q393MczhZLpDbUP7tT6ioKxjcATCS",
    ),
    (
        "asana-token", "ASANA_TOKEN", "1/{d13-18}:{h32}",
        "2406357121635:253Ab33fa7b6E0AdB3c31E7E8D25Dc63",
        "9287633405893:eAC17eaFeC4afFA95866B98FF94Fdf5",
    ),
    ("coder-session", "CODER_TOKEN", "coder_session_token={t20+}", "UAXmkB0MMAtkx8pNgz0L", "peInM7QhDFDQo6eUt5G"),
    ("val-town-token", "VALTOWN_TOKEN", "vtwn_{b20+}", "xIKV4EAzmuLAbwqUEKmr", "6LG9DgTVXZ2pXE2JauV"),
    (
        "workato-token", "WORKATO_TOKEN", "wrkaeu-eyJ{x40+}",
        "qXCJOiU8K9IZTxNS53UaJ6zBQ9XwFg1vlizFd6na",
        "99Tx5M05831QJCwR17zIP5nr7zD9O6vFJGp5oT2",
    ),
    (
        "workato-token-us", "WORKATO_TOKEN", "wrkaus-eyJ{x40+}",
        "dnY93pHPXZ1o5QW7GhBXnzz4z7rjQQ6E12lRPTMp",
        "mH8ZvjYEzYOqyHPkssOaOiSUImQQC7MnWuALnJp",
    ),
    (
        "snyk-service-token", "SNYK_TOKEN", "snyk_{l3-4}.{x40+}",
        "7l2.vIWCqzWA3fyh6256xLqQ1lPja9CuifMmz4crIPJz",
        "5pt.bUCW0G6i2ETMfGKHUpDLrIm1dR4McgEL6WhXWIR",
    ),
    (
        "adobe-client-secret", "ADOBE_KEY", "p8e-{t30+}",
        "Pu3QjP6FyLAG967z5kvGZeMWXNjkSM",
        "cztPPNqkybOC0p2VurFA4u2BVFHGq",
    ),
)
