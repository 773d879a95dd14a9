"""Names of services that hand out keys without a form of their own: a random value beside one of them is a key.

Small letters, words run together. Ordinary English words are left out unless the service's own variables carry them.
"""

from __future__ import annotations

from multiagent_bridge.guard.redaction.words import word_set

_CLOUD_AND_CODE = """
adobe airbrake airbyte airtable aiven algolia alibaba aliyun alicloud amplitude anypoint ansible apify apigee apollo
appcenter appdynamics appetize appfollow appoptics appsynergy appveyor arcgis argocd artifactory asana atlassian auth0
autodesk aws azure azuredevops azuresearch azureopenai backblaze bamboo beamer beebole betterstack bintray bitbar
bitbucket bitly bitrise bitwarden blazemeter blynk box brightdata browserstack browshot buddy buddyns budibase bugherd
bugsnag buildkite bundlephobia bunny bunnycdn calendly cannyio canny checkly checklyhq checkmarx circleci civo
clearbit clickhouse clickup clojars cloudamqp cloudant cloudconvert cloudflare cloudinary cloudsmith coda codacy
codeclimate codecov codefresh codemagic codeship codequiry cohere coinbase confluent confluence contentful
contentstack convertkit convex copper couchbase coveralls crowdin cronitor customerio databricks datadog datadoghq
datagov deepgram deepl deepseek delighted deno detectify digitalocean directus discord discourse disqus docker
dockerhub docparser docusign doppler droneci dropbox dynatrace elastic elasticsearch endor endorlabs env0 eraser expo
exoscale facebook fastly fauna figma filestack finicity finnhub firebase flickr flyio formio foursquare frameio
freshbooks freshdesk frontegg fullstory gcp geckoboard getgist gitalk gitea github gitlab gitter glassnode godaddy
goodday grafana gradle greptile gumroad hackerone harness hashicorp hasura hatchbox helpscout heroku hetzner
honeybadger honeycomb hootsuite hubspot huggingface hypertrack ibm ibmcloud ifttt imagekit influxdb infomaniak infura
instana intercom ionic ipinfo ironclad jenkins jfrog jira jumpcloud kaggle kafka keycloak keygen kickbox klaviyo
kontent kontentai kraken kucoin kubernetes lambdatest langchain langfuse langsmith launchdarkly leanix line linear
linkedin linode litmus lob logdna loggly logz logzio lokalise looker mailchimp mailersend mailgun mailjet mandrill
mapbox mattermost messagebird meraki metabase mixpanel mongodb monday moralis mulesoft mux neon netlify newrelic ngrok
nightfall notion npm nuget nylas nytimes octopus okta onelogin onesignal openai openvpn openweather openweathermap
opsgenie optimizely oracle ovh packagecloud packagist pagerduty paypal percy perplexity pendo pinecone pipedream
pipedrive plaid planetscale plivo postman postmark posthog prefect pubnub pulumi pusher pypi qase quay rapidapi raygun
readme recaptcha redis render replicate retool rollbar rootly rubygems runpod salesforce sanity saucelabs sauce
scaleway scalyr scrutinizer scrutinizerci segment semaphore sendbird sendgrid sendinblue sentry servicenow shodan
shopify shortcut signalfx slack snowflake snyk sonar sonarcloud sonarqube sourcegraph spacelift splunk spotify square
squarespace stackblitz statuscake statuspage stripe stytch sumologic sumo supabase surge swarmia tailscale teamcity
telegram teamwork teamworkcrm teamworkdesk teamworkspaces terraform tines todoist travis travisci trello truenas
twilio twitch twitter typeform unsplash upcloud upstash uptimerobot urlscan vault vercel virustotal vmware vultr wandb
weaviate webex webflow workato workos wrike xai yandex zapier zendesk zenhub zeplin zerotier zoho zoom zuplo ovhcloud
tencent tencentcloud huawei huaweicloud baidu wechat alipay dingtalk feishu lark kakao naver rakuten paystack
flutterwave razorpay mollie adyen anthropic claude mistral groq togetherai together fireworks stability stabilityai
elevenlabs assemblyai openrouter voyageai jina tavily serpapi serper exa brave upstage replit cursor codeium tabnine
moonshot kimi zhipu dashscope qwen minimax nvidia cerebras
"""

_SERVICES = """
abstractapi abuseipdb accuweather adafruit adafruitio adzuna aeroworkflow agora aha airship airvisual alchemy alconost
alegra aletheia alienvault allsports amadeus ambee anypointmq apacta apiflash apifonica apilayer apilio apimatic
apimetrics apitemplate apollographql appointedd appoint aftership audd autoklose autopilot avaza avazapersonal
aviationstack axonaut aylien ayrshare bannerbear baremetrics baseapi baseten beamerapi besnappy besttime billomat
bitcoinaverage bitfinex bittrex binance bybit okx blablabus blitapp blogger bombbomb boostnote borgbase brandfetch
brex brevo bscscan etherscan polygonscan bubble buildkitev2 bulbul bulksms buttercms caflou calendarific calorieninjas
campayn cakemail carboninterface cashboard caspio censys centralstation cexio chartmogul chatbot chatfuel checio
checkout checkvist cicero ciscomeraki clarifai clearout clevertap clickhelp clicksend clickmeter cliengo clientary
clinchpad clockify clockwork clockworksms closecrm close cloudelements cloudimage cloudmersive cloudplan cloudsight
cloverly codeclimatev2 coinapi coinlayer coinlib collect2 column commercejs commodities companyhub conversiontools
convertapi convier countrylayer craftmypdf crossbrowsertesting cryptocompare currencycloud currencyfreaks
currencylayer currencyscoop currencybeacon currents curseforge customerguru d7network dailyco daily dandelion databox
datafire datascope debounce deepai demio deputy detectlanguage detectlang dfuse diffbot diggernaut ditto dnscheck
docuware dovico dronahq duffel dwolla dynalist dyspatch eagleeyenetworks easyinsight easypost ebay ecostruxture edamam
edenai eightxeight elasticemail emailoctopus enablex enigma envoy envoyapi etherscanio ethplorer etsy eventbrite
everhour exchangerate exchangeratesapi exchangerates exportsdk extractorapi faceplusplus fastforex feedier fetchrss
fibery fileio findl fixer fixerio flatio flat fleetbase flightapi flightlabs flightstats float flowdash flowdock
flowflu flutter fmfw formbucket formcraft formsite freemius front fulcrum fxmarket gengo geoapify geocode geocodify
geocodio geoipifi ipifi geoiplookup getemail getemails getgeoapi getresponse getsandbox glitterly goodmorning
goperiscope graphcms graphhopper groovehq gtmetrix guardian guardianapi gyazo happi happyscribe harvest hellosign
helpcrunch hereapi here heremaps hive hiveage holidayapi holistic html2pdf humanity hunter hunterio hybiscus
hypeauditor iconfinder iexapis iexcloud imagga impala insightly instabot instamojo interseller intrinio invoiceocean
ip2location ipapi ipdata ipgeolocation ipinfodb ipquality ipqualityscore ipstack jotform jsonbin juro jupiterone
kanban kanbantool karma karmacrm keenio kickboxv2 klipfolio knapsackpro kylas languagelayer leadfeeder lemlist
lemonsqueezy lendflow lessannoyingcrm lexigram linenotify linkpreview livestorm loadmill lob2 locationiq loginradius
lokalisetoken loyverse lunchmoney luno lyft madkudu magicbell magnetic mailboxlayer mailerlite mailmodo mailsac
mandrillapp mapquest marketstack mavenlink mediastack meistertask mercury mesibo messari metaapi metrilo midtrans
mindmeister miro mite mixcloud mixmax mockaroo moderation monkeylearn moonclerk moonclerkapi moosend mrticktock
muxvideo myfreshworks myintervals nasa nethunt netcore newsapi newscatcher nexmo vonage nftport ngc nicereply nimble
nitro noticeable notify.line nozbe nozbeteams numverify nutritionix nutshell oanda omnisend onedesk onepagecrm onfido
onfleet oopspam openai2 opencage opencagedata opengraphr openuv ovhapi overloop owlbot pandadoc pandascore paperform
paralleldots parsehub parsers parseur partnerstack passbase pastebin paydirt paydirtapp paymo paymoapp paymongo
pdflayer pdfshift peopledatalabs pepipost photon pinata pinterest pivotaltracker pixabay plaidkey planview
planviewleankit planyo plivoauth podio pollsapi poloniex polygon polygonio positionstack postageapp postbacks powrbot
privacy prodpad prospect prospectcrm prospectio protocols protocolsio proxycrawl publit publitio purestake pushbullet
pushbulletapi pushover pusherchannel qonto qualaroo qubole quickmetrics ramp raven rawg razorpaykey reachmail readonly
reallysimplesystems rebrandly refiner rentman repairshopr reply replyio requestfinance restpack rev revamp ringcentral
ritekit roaring robinhoodcrypto rocketreach ronin route4me rownd runrunit salescookie salesblink salesflare salesmate
satismeter saucelab scrapeowl scraperapi scraperbox scrapersite scrapestack scrapfly scrapingant scrapingbee
screenshotapi screenshotlayer securitytrails sellfy sendbirdorg sendoso serphouse serpstack sheety sherpadesk shipday
shippo shotstack shutterstock sigmacomputing signable signalwire signaturit signupgenius sigopt simfin simplesat
simplynoted simvoly sinch sirv siteleaf skrapp skybiometry smartsheet smartsheets smartystreets smooch snipcart snov
socrata speechtext speechtextai spoonacular sportradar sportsmonk sportsmonks sslmate statuspal stitchdata stockdata
stockvest stormboard stormglass storecove storyblok storychief strava streak stripo subscribestar sugester supernotes
surveyanyplace surveybot surveysparrow survicate swell swiftype tallyfy tatum tatumio taxjar teamgate
technicalanalysis technicalanalysisapi tefter teletype telnyx testingbot textmagic theoddsapi thinkific thingsboard
thousandeyes ticketmaster ticktick tickettailor tiingo timecamp timezoneapi tly tmetric toggl toggltrack tokeet
tomorrowio tomtom tradier transferwise wise travelpayouts twelvedata twist tyntec typetalk ubidots uclassify unifyid
unplu unplugg upcdatabase uplead uploadcare upwave urlscanio userflow userstack vatlayer vbout vercelapi verifier
verimail veriphone versioneye viewneo visualcrossing voicegain voodoosms vouchery vpnapi vyte walkscore weatherapi
weatherbit weatherstack web3storage webscraper webscraping websitepulse wepay whoxy wit wistia worksnaps workstack
worldcoinindex worldweather worldweatheronline wordnik xero yelp yousign youneedabudget zenkit zenkitapi zenrows
zenscrape zenserp zeplinapi zerobounce zipapi zipbooks zipcodeapi zipcodebase zonka zonkafeedback runscope rapid7
abyssale ably agilecrm airtablekey bugsnagkey gocardless geonames bluesky sidekiq contribsys capsulecrm capsule
stripekey clarify clerk commercetools cognito fcm firebasecloud gorgias instatus jwplayer kustomer magento mavenrepo
meilisearch mtrav nexus opentable owncloud paddle pandora papertrail phabricator pixela portainer prestashop raindrop
rancher reddit resend rudderstack sap sharepoint shippable sketchfab smugmug snapchat statsig steam tableau telesign
tiktok tumblr unity unleash vimeo vkontakte wakatime whatsapp woocommerce wordpress workday youtube zalando zulip
"""

VENDORS = word_set(_CLOUD_AND_CODE + _SERVICES) - word_set(
    "box buddy brave canny close column copper cursor demio docker expo flat flow front fauna hunter hive harness "
    "here impala kafka linear line miro neon nitro kubernetes npm notion octopus oracle percy photon pypi quay "
    "raven readme redis refiner reply rev ronin segment semaphore shortcut sonar square surge swell together "
    "unity vault wise wit ramp raindrop daily capsule polygon float enigma brex gradle github gitlab azure aws "
    "gcp readonly git reach twist steam clarify hatchbox moderation "
)
# Services whose names are ordinary words: they count only together with a word for a secret.
ORDINARY = word_set(
    "box buddy brave canny close column copper cursor docker expo flat front fauna hunter hive harness here "
    "impala kafka linear line miro neon nitro kubernetes npm notion octopus oracle photon pypi quay raven readme "
    "redis refiner reply ronin segment semaphore shortcut sonar square surge together unity vault wise wit ramp "
    "daily capsule polygon float enigma gradle github gitlab azure aws gcp git twist steam "
)
