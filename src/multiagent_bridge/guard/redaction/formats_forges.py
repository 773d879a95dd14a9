"""Token formats of code hosts, registries, build services and planning tools.

Written from the providers' documentation and from the form of the tokens they issue.
Columns: rule, kind, shape (see `shapes.py`), an example after the anchor, a counter-example after the anchor,
optionally what the token needs and what stands before the anchor in the examples.
"""

from __future__ import annotations

# fmt: off
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
    ("gitlab-personal", "GITLAB_TOKEN", "glpat-{t16+}[.{x7+}]", "Zjs1QUcHIPB1z0jA", "4SuA3MQiCE1j9wS"),
    ("gitlab-deploy", "GITLAB_TOKEN", "gldt-{t16+}", "Hn70n5LUCu2z7ha3", "UNuAAOiO1cdegtO"),
    ("gitlab-runner", "GITLAB_TOKEN", "glrt-{t16+}[.{x7+}]", "4KRa48IlFRhS4lo2", "saB99L7R7ojDtHa"),
    ("gitlab-runner-registration", "GITLAB_TOKEN", "glrtr-{t16+}", "1sqeWCN6bdvcdmKj", "s8tmxonnznibP53"),
    ("gitlab-runner-legacy", "GITLAB_TOKEN", "GR1348941{t18+}", "ybERtJR4G331kJ10Af", "NFpI5dScGR3zK72Q0"),
    ("gitlab-job", "GITLAB_TOKEN", "glcbt-{t16+}", "2kQQ8BHBYC7SaKK2", "8ha9OxK8tgHwVJk"),
    ("gitlab-trigger", "GITLAB_TOKEN", "glptt-{t16+}", "UUnVNjXVTDnsoZdE", "Abu0v2uT81DMJyI"),
    ("gitlab-feed", "GITLAB_TOKEN", "glft-{t16+}", "egyJ8jlNV4b0Ak8o", "Kfc2zUSp1D59pOx"),
    ("gitlab-mail", "GITLAB_TOKEN", "glimt-{t16+}", "N9agNueqKi6yhVNT", "NgFoCRhzFMZOGpW"),
    ("gitlab-agent", "GITLAB_TOKEN", "glagent-{t16+}", "nVTWUAlrHnYOVbXS", "FnM2GZAexluOnlr"),
    ("gitlab-oauth", "GITLAB_TOKEN", "gloas-{t16+}", "p7ZdyltZ0ZSOgd1J", "8mZNB1xOXblMpGP"),
    ("gitlab-scim", "GITLAB_TOKEN", "glsoat-{t16+}", "7J05Rsmjt0dx4Wno", "wUzJrN5veTkXwkv"),
    ("gitlab-feature-flag", "GITLAB_TOKEN", "glffct-{t16+}", "mxGwvmQSjJK46nvf", "Udd0Q0sl9Ypi11X"),
    ("gitlab-workspace", "GITLAB_TOKEN", "glwt-{t16+}", "9VX4evABGcnSh9UU", "IYghMTPHUJmFLmc"),
    (
        "gitlab-session", "GITLAB_TOKEN", "_gitlab_session={l24+}",
        "8mhthhkr4kgcpl2l9k8tch7i",
        "5gbrkd98l5vzr4aknonxlp3",
        "digit",
    ),
    (
        "bitbucket-app-password", "BITBUCKET_TOKEN", "ATBB{b30+}",
        "QkT2GtQJfIsDTWUhsrwSIFJsWRz2fD",
        "f0w9DX0A9lrrVG7HMOdhlwsqjc1Tr",
        "digit",
    ),
    (
        "bitbucket-repository", "BITBUCKET_TOKEN", "ATCTT3xFfG{y60+}",
        "VprsqDcR4BPH3dOGnyhvQIpQdYAIWNjY2eM8p3L6axcYnjk92DqPtlu8bks7",
        "DF4cJAQzf1DQc2gM78mdlViKYNBuRRV7GGSmdIe56BrsrRGfMCjlhmqPL7U",
    ),
    (
        "atlassian-token", "ATLASSIAN_TOKEN", "ATATT3xFfG{z60+}",
        "K8cAyhGd0BmQWBEj2IlDYGeFzK5kTzDWQQw5uMVmD4tDzshUcAtG00Sgw7x2",
        "Qj7hX3lW28AyB5wSkuza4mOFYn6Ms8dszQjXfpDe3cXbM3cKC9N1WuWXBK7",
    ),
    (
        "atlassian-scoped-token", "ATLASSIAN_TOKEN", "ATSTT3xFfG{y60+}",
        "AkLyGH5OqG2k9jsBmgrzyXezPFGE9TlOVMNet9xcbuVSGNcuDPxAULA4muxj",
        "dmrOJAw7MXOSocNfQFeDmABwSG0U1SV3o4jqszWju3WUOUQO6CZGijpIPjR",
    ),
    (
        "sourcegraph-token", "SOURCEGRAPH_TOKEN", "sgp_{w40+}",
        "lDxg5g0jIHGdAswg9qUgTKXJDqUNvmb2dKaKUS4e",
        "rZLKsaHzCzOLfMj7STQ5Wq9tajazXpavgOswW2H",
    ),
    (
        "sourcegraph-licence", "SOURCEGRAPH_TOKEN", "slk_{h64}",
        "F8bA38efAeF3e8E94BB2Ab9D4BA99BC743FaFa3Ac4Cb4D61F1c9fB0C75f21adD",
        "aeac13a8C1Ef90D6cEBc07F346631EfE5733fCceF487E1EDe7dA30B6A220cFd",
    ),
    (
        "circleci-personal", "CIRCLECI_TOKEN", "CCIPAT_{w40+}",
        "4oq9bd9yusn6iD2ELQgJD4eKQZ3ML9aic8y3LIiz",
        "IiJdTgH9KwyV4JReY28UaXdO7ctiP2QGs1O6P8v",
    ),
    (
        "circleci-project", "CIRCLECI_TOKEN", "CCIPRJ_{w40+}",
        "rY9bT2PT7vlKo24Ep6xIhqeQlyXQ3uKaUfKZoq50",
        "10gB9HUA9wn43vwPl6YGk6Pa2PH1lTn4svBHn2f",
    ),
    (
        "buildkite-user", "BUILDKITE_TOKEN", "bkua_{b30+}",
        "5YAoUJJ5yTIxwZq2TU9fq0ClIiv52w",
        "v8Qict9pxvLFVPQiTRTZHYLUtUkAv",
    ),
    (
        "buildkite-agent", "BUILDKITE_TOKEN", "bkat_{b30+}",
        "OqErSBOGrRlPKYYM8tRBjdBGgFH9Ue",
        "nTL6ahG2xHoTp9Uf8nyhC2HqqetAy",
    ),
    (
        "buildkite-registration", "BUILDKITE_TOKEN", "bkar_{b30+}",
        "69wyrVGTaTGuV4r86t1ZVObL0EhqJM",
        "d6DPvAvA3Zq88GqDZh7z2bIjURcVP",
    ),
    (
        "buildkite-cluster", "BUILDKITE_TOKEN", "bkct_{b30+}",
        "3PATJHiyH6MDWBdLjTEe7k3VDcy0FH",
        "T0HxPrCrbfCVY8VrWZPJGgneV8hVu",
    ),
    (
        "buildkite-job", "BUILDKITE_TOKEN", "bkaj_{x30+}",
        "7CGN6oi48Wv7LCoE2Es3K3ri2GS4w2",
        "M80Y9p3s5uQS9m2HUbUf55rD3G6IH",
    ),
    (
        "buildkite-portal", "BUILDKITE_TOKEN", "bkpt_{b30+}",
        "X7dcmj9BRZ1ObBrKbYH8WgZONmuagC",
        "5CYH1vzSItQ4GmYcgN7vDcljRobs3",
    ),
    (
        "buildkite-package", "BUILDKITE_TOKEN", "bkpat_{b30+}",
        "MU2jWAQdqb8kZKhupRhQVp07VCvaJ3",
        "zDumRXj1TVx66jG7kYA32mlSaLPCd",
    ),
    (
        "buildkite-registry", "BUILDKITE_TOKEN", "bkrt_{b30+}",
        "JlQDQw1bdSRbYV1LiCd15xTvy07KSa",
        "JTtUDTuRnKPYbY3PFgQ4AAhuSdVO9",
    ),
    (
        "buildkite-service", "BUILDKITE_TOKEN", "bkssa_{b30+}",
        "ta3Tkk2It6tFZ8AfdX5FlKWc6G2KvA",
        "6lauMDSgMvOr5JuK97BmDxPM9ASxp",
    ),
    (
        "harness-personal", "HARNESS_TOKEN", "pat.{t20-24}.{b20-26}.{b18-22}",
        "c8G3lGejlzsZCeNSSQa7.hZlIpBwhObfmPnkLf3pR.xpHP2LxfKuPq0zqsf6",
        "AxftUJiGJQWJ3195yJnP.Fo3e0EGKMc95gTdp1ORL.fhsX4cmA6VwZAoF3y",
    ),
    (
        "harness-service", "HARNESS_TOKEN", "sat.{t20-24}.{b20-26}.{b18-22}",
        "MTOBmqS2UPIf9mPsLFj5.LYGGMT1fSdjigc4k7tNA.yykw29M9GKV0n8Eea4",
        "vtTF1B02dWQRPeyqBoOL.ThLHbYGL1P19nZl4vNZa.zhbewSZoX7mXfO9ru",
    ),
    (
        "npm-token", "NPM_TOKEN", "npm_{b34+}",
        "SvFj19046ccYXwoYuEdqjA6YsVc84QgfnT",
        "EpMr2HbiMjN2EP7AcB5MG3Q8Zn7Xmy28y",
        "crc",
    ),
    (
        "pypi-token", "PYPI_TOKEN", "pypi-AgE{t40+}",
        "ZdgDwFvWyYZViHLMjA4i2s1emi4FEIckl0fAiVy7",
        "Lhm1U1L3cfGKJOhyalNYNuozydICQy3dzOYR0hF",
    ),
    (
        "rubygems-key", "RUBYGEMS_KEY", "rubygems_{h48}",
        "a65bbb40FBADeED4dDCb6ecB3f501A48dCCaB83AB53C3ebD",
        "fdD0Ad2C5B32CD1a2C3617A9AEF4cFbac4AcE54db4f8E9E",
    ),
    (
        "nuget-key", "NUGET_KEY", "oy2{l43}",
        "5pwi1bm4mnhan55rx5b7recg0u4b7fppk36gqvqxlk6",
        "gwl9f25ttq9ru89s2kpa88ck5cb3l6liy94vm315fx",
    ),
    (
        "crates-token", "CRATES_TOKEN", "cio{b32}",
        "SGvUik4U7cUvm7KND6iE1yuccb8piYaN",
        "WnMXHoPTC2MEHGqRte99maBXQOSJiT4",
        "mixed",
    ),
    (
        "clojars-token", "CLOJARS_TOKEN", "CLOJARS_{h50+}",
        "d4Ae3c2DFc7Aaee2bBD21a3B67879430a7dF5CA8A60a402d89",
        "32E0A3012c0C60D4a20B5a9722B0906F1bDCB3DC2ADaFbD13",
    ),
    (
        "cloudsmith-key", "CLOUDSMITH_KEY", "csa_{b30+}",
        "BMNQQLt92VaTl3fa6Ope0DzHy8pswJ",
        "wSBLPUFte8or5WzoisL7aRakPXrPs",
    ),
    (
        "artifactory-key", "ARTIFACTORY_KEY", "AKC{b65-80}",
        "Eg5pfcYGYnfwy6M1hO6RSdW5LChpmDJQ26bhGpnH9GhhRSKvTak01QJyVbgGhMFYF",
        "ZK6CYPdTH66uaBv0Y9lb9ZUs7EK5zf2IQm97L7Qd3ZQEe1pCY36LRqU3ypzqs2Cx",
        "digit",
    ),
    (
        "artifactory-reference", "ARTIFACTORY_KEY", "cmVmdGtu{b56}",
        "PSjfMRFCVyV4TpZpHDgxqoFi9rQn6Wf8QZHKvEeqbyK7Jt0hVZSeGsXz",
        "IaAoMfAXZDVhP4dznJUJzwypOaHzsofnaQJqETb3olXB2QYvhYi4MO7",
    ),
    (
        "sonar-project", "SONAR_TOKEN", "sqp_{b40+}",
        "jgQ7Zw8m8M5KqkuDe6BhpkfZm9lEKWX3H7uvzLiQ",
        "0q54dvySiwUZPZ59BHfQLBLAYZ9GMe5EXC5NSe7",
    ),
    (
        "sonar-user", "SONAR_TOKEN", "squ_{b40+}",
        "NzxgJuq2zV9OwUpHOnHrwBx8S7KmBmUh03HFTXA3",
        "z1GinacFVXc3crK395foevWu7bXl0GAnXu6cESF",
    ),
    (
        "sonar-global", "SONAR_TOKEN", "sqa_{b40+}",
        "R1G5cTeouoGNPctOiUJnfEfbDLsQqtG9fpzqlP3P",
        "fAzcbSgGB4uWOBxB3aFELiZio4hGCkWkJFoleFX",
    ),
    (
        "deno-personal", "DENO_TOKEN", "ddp_{b32+}",
        "fWfglTiMIcueoTHtUBJ4ESAyD12ewIML",
        "hmiZAbrGAHETVPdJppkWfQzM6pw9vZI",
    ),
    (
        "deno-workspace", "DENO_TOKEN", "ddw_{b32+}",
        "Hl8cAc3LXzqDgEWmpRrnEZht7OLmbw1n",
        "Je3ErE5dp9tdMheU6PcMwzjQ1KoTFMK",
    ),
    (
        "deno-organisation", "DENO_TOKEN", "ddo_{b32+}",
        "bFhOyjkBhYdr1vEEv2jFl39ri2UHSD2k",
        "Q5vBB72LO9cTnljdpazX6FizIUJ6sIZ",
    ),
    ("jsr-token", "JSR_TOKEN", "jsrp_{b30+}", "AQmu2UUH6LaRyPomfdfsRPkaMRVZGh", "M2P13zBZtFPQut1eQt91VWohvY6PE"),
    (
        "packagist-token", "PACKAGIST_TOKEN", "packagist_{a3}_{h60+}",
        "RYE_7C64d0d13cfB1aA21d8BCDDd5bf3bAe607AA5eAbe40AAdA4fdB1c047E375",
        "WwF_B0C768AA11eb9A1de0ffD57dc37a4A652a9d6c8BD07Ec7BCFF9B1Cbdecb",
    ),
    (
        "stackhawk-key", "STACKHAWK_KEY", "hawk.{t16+}.{t16+}",
        "3IflFWrqnBepxTLO.TL4fEVeaSUHSJVGy",
        "SOEqukpiZwq1bAJa.zfkeoU6PUmyfVkA",
    ),
    ("endor-secret", "ENDORLABS_KEY", "endr+{t12+}", "R2q0mvoniWcg", "njfaldzTY05"),
    (
        "infracost-key", "INFRACOST_KEY", "ico-{b32}",
        "qD2NA3l2jxOuiYkOPHTAJMIEw9RFP9yR",
        "KKeRkOMLmRVEHFKpofXpsXiVvymQkgx",
    ),
    (
        "readme-key", "README_KEY", "rdme_{l50+}",
        "2iae3tlf4e7bx606i3f9rfm8t6x0itqsezbj0qq8oj8mb7s8mi",
        "1v4v1f3a6dlz2arzginr37scdt5a0adbpfkrlrruf0upz4g4t",
    ),
    (
        "prefect-user", "PREFECT_KEY", "pnu_{b34+}",
        "O2FYvlhbLt0ouLq6Jp70aK62UNsbZzUGXU",
        "GHoXGL5uSlR56k9P1W3tbT00ogUQRYLPZ",
    ),
    (
        "prefect-bot", "PREFECT_KEY", "pnb_{b34+}",
        "J8ymwhW2fXMDnZfUNwExXEwLbJ5eqQsK0C",
        "DOpAosAkC4Ezm0jUXc6xfZMybmEkO36To",
    ),
    (
        "linear-key", "LINEAR_KEY", "lin_api_{b32+}",
        "zrkOyGbeWJVDKYUh9PuyVOFBsBwsb0IW",
        "nf0vTbyZBwWGqcu43SrzsDWrKCj0FQQ",
    ),
    (
        "linear-oauth", "LINEAR_KEY", "lin_oauth_{b32+}",
        "zYswhZ7PZcdVfknS6ZvURVuMr74Ggdah",
        "f6IojJqnHygmHuByJKyl8ijVKR0lQpU",
    ),
    (
        "notion-token", "NOTION_TOKEN", "ntn_{b40+}",
        "1F5Abvu3XRDXMIvxhgalxHNPfTTmMlhuxk5eKWVM",
        "imnZtzT38Q5aed3JClyIjzW9zK4NOdWDGUXoLBo",
        "digit",
    ),
    (
        "notion-secret", "NOTION_TOKEN", "secret_{b43}",
        "hF4g1nTO2B6RBoemmbWbhRrC8SgaSQApL4xO6Uc6rYg",
        "RLzS7TvVjLKEEQ88xYIjT6RsKVKFiQSvCFCOCqJrGe",
        "digit",
    ),
    (
        "airtable-token", "AIRTABLE_TOKEN", "pat{b14}.{h60+}",
        "aI7Y10AQm4prIc.Cbca2AAEDDbAec37906cfB0E408112EDB2de11034CCa7cD87eE5d78fDcDf",
        "APhww0aTn34wjt.F5650186Db74da05A7D358c7ff9cCc397cF47569B3dA6235afdd7F08F42",
    ),
    (
        "airtable-oauth", "AIRTABLE_TOKEN", "{w6-64}.v1.{w8+}.{b10+}",
        "bidAySev.M2cM5T1omN",
        "PLMe9WEX.99k16dbyD",
        "digit",
        "4PmZ2P",
    ),
    (
        "postman-key", "POSTMAN_KEY", "PMAK-{h24}-{h34}",
        "1cEBff8fcc6a893874fCFeF7-a52F9b81e1955D5C2d8503beCc7F418081",
        "01cDE4DFcBDc1c3E6AdB8E0C-081dfA07BFA6a78c0A2f4daC8Ebea97ea",
    ),
    ("postman-token", "POSTMAN_KEY", "PMAT-{u26}", "FTO2WQBWA1IMB2S1IJSBD9TRGR", "OC4LOE0QKD0WFHNNOB6O0GXIR"),
    (
        "figma-token", "FIGMA_TOKEN", "figd_{t36+}",
        "NlNz41uOe3MQw4XfJRAFVw9MBrJBF844QQ8l",
        "dxen7b6TT6c0eZ8RLZHkvPw0TqvGHTAkDMc",
    ),
    (
        "figma-oauth", "FIGMA_TOKEN", "figo_{t36+}",
        "1ScNB103NaBicjYAcqQ2FaknMTlsHz16qkTR",
        "UowvhtwxBwrWrpaBqs9zShZfmsYyk1sqVIQ",
    ),
    (
        "clickup-token", "CLICKUP_TOKEN", "pk_{d6-12}_{u32}",
        "836261_FWV5DGKTLODW2AGSVEIWOOTHI5G7BEK4",
        "240176_9JK6P5KPTFGBIANF9JHOPAG30XF7RWR",
    ),
    (
        "trello-token", "TRELLO_TOKEN", "ATTA{h64+}",
        "16FDFEcdAd2b6b997d1Ba0F97f914aD5390Ad4752d892BBDf0c72506F331Ae7f",
        "B8ecFCf033Be93C789652AE386331d8a792CdCF107eE4ee3B5c549f383A14c7",
    ),
    ("octopus-key", "OCTOPUS_KEY", "API-{u26}", "A466X9NLFFMI9N5JQHEHL7C5WB", "7QBUYZTRVSLOYZWRWF0L6PF0W", "digit"),
    (
        "codemagic-token", "CODEMAGIC_TOKEN", "codemagic_{t30+}",
        "uKakSR3UULhRUpnBs5dtylldrsUDen",
        "MKvMrYZGQ5kSGH96d3gnFTLwBLdbl",
    ),
    (
        "asana-token", "ASANA_TOKEN", "1/{d13-18}:{h32}",
        "4246686114891:ca2bAAF86d7caaCf7dAE3107c53D5a41",
        "1579061937042:7Cb41dee491c7ae253cFE6a253Ab33f",
    ),
    ("coder-session", "CODER_TOKEN", "coder_session_token={t20+}", "px5nObZGT2B0IgzhTcPo", "PrNekN75zmhLiJFBomt"),
    ("val-town-token", "VALTOWN_TOKEN", "vtwn_{b20+}", "UxJLmXDHLc989pCu8QCK", "XViu7EQHtkrnTn4ItrR"),
    (
        "workato-token", "WORKATO_TOKEN", "wrkaeu-eyJ{x40+}",
        "tjWQA5FlVGUAXmkB0MMAtkx8pNgz0LpeInM7QhDF",
        "DQo6eUt5GPxIKV4EAzmuLAbwqUEKmr6LG9DgTVX",
    ),
    (
        "workato-token-us", "WORKATO_TOKEN", "wrkaus-eyJ{x40+}",
        "2pXE2JauVfqXCJOiU8K9IZTxNS53UaJ6zBQ9XwFg",
        "1vlizFd6na99Tx5M05831QJCwR17zIP5nr7zD9O",
    ),
    (
        "snyk-service-token", "SNYK_TOKEN", "snyk_{l3-4}.{x40+}",
        "v59.Gp5oT26dnY93pHPXZ1o5QW7GhBXnzz4z7rjQQ6E1",
        "lpm.H8ZvjYEzYOqyHPkssOaOiSUImQQC7MnWuALnJpE",
    ),
    (
        "adobe-client-secret", "ADOBE_KEY", "p8e-{t30+}",
        "lCvIWCqzWA3fyh6256xLqQ1lPja9Cu",
        "ifMmz4crIPJzFptbUCW0G6i2ETMfG",
    ),
)
# fmt: on
