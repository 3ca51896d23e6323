//! Stage 3 of 7, redact: the kinds of sensitive values that the scanner knows. Thread: caller.

/// How much evidence a kind needs besides its own characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Shape, prefix or checksum suffices.
    Shape,
    /// A checksum and a keyword, or the name of the key.
    Checked,
    /// Only a keyword or the name of the key tells.
    Context,
}

/// What a kind is about; profiles switch on whole groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Cards and what stands on them.
    Payment,
    /// Accounts and transfers.
    Bank,
    /// Wallets of crypto currencies.
    Crypto,
    /// Numbers that the United States give to persons and companies.
    UsGov,
    /// Health care.
    Health,
    /// Ways to reach a person, and what describes one.
    Contact,
    /// Addresses of machines and devices.
    Network,
    /// Vehicles and travel documents.
    Vehicle,
    /// Numbers that other states give to persons.
    National,
    /// Passwords, cookies, tokens: whatever opens a door.
    Credential,
    /// Tokens with the shape of one vendor.
    Vendor,
}

macro_rules! kinds {
    ($($variant:ident $id:literal $word:literal $group:ident $tier:ident,)*) => {
        /// One kind of sensitive value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind {
            $(#[doc = concat!("`", $id, "`")] $variant,)*
        }

        impl Kind {
            /// Every kind, in the order of its number.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// The name in reports and settings: `US_SSN`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Kind::$variant => $id,)* }
            }

            /// The word in a marker: `[REDACTED:ssn]`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word,)* }
            }

            /// What it is about.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Kind::$variant => Group::$group,)* }
            }

            /// How much evidence it needs.
            #[must_use]
            pub const fn tier(self) -> Tier {
                match self { $(Kind::$variant => Tier::$tier,)* }
            }
        }
    };
}

// The order is the severity: where two findings overlap, the earlier kind names the marker.
kinds! {
    CardTrack "CARD_TRACK" "card-track" Payment Shape,
    Cvv "CVV" "cvv" Payment Context,
    PinBlock "PIN_BLOCK" "pin-block" Payment Context,
    PrivateKey "PRIVATE_KEY" "private-key" Credential Shape,
    Pan "PAN" "pan" Payment Shape,
    SeedPhrase "SEED_PHRASE" "seed-phrase" Crypto Shape,
    AwsAccessKeyId "AWS_ACCESS_KEY_ID" "aws-key" Vendor Shape,
    AwsSecretKey "AWS_SECRET_KEY" "aws-secret" Vendor Checked,
    GithubToken "GITHUB_TOKEN" "github-token" Vendor Shape,
    GitlabToken "GITLAB_TOKEN" "gitlab-token" Vendor Shape,
    SlackToken "SLACK_TOKEN" "slack-token" Vendor Shape,
    SlackWebhook "SLACK_WEBHOOK" "slack-webhook" Vendor Shape,
    StripeKey "STRIPE_KEY" "stripe-key" Vendor Shape,
    OpenaiKey "OPENAI_KEY" "openai-key" Vendor Shape,
    AnthropicKey "ANTHROPIC_KEY" "anthropic-key" Vendor Shape,
    SendgridKey "SENDGRID_KEY" "sendgrid-key" Vendor Shape,
    NpmToken "NPM_TOKEN" "npm-token" Vendor Shape,
    GcpApiKey "GCP_API_KEY" "gcp-key" Vendor Shape,
    AzureKey "AZURE_KEY" "azure-key" Vendor Shape,
    VendorToken "VENDOR_TOKEN" "token" Vendor Shape,
    Jwt "JWT" "jwt" Credential Shape,
    BasicAuth "BASIC_AUTH" "basic-auth" Credential Shape,
    BearerToken "BEARER_TOKEN" "token" Credential Shape,
    Cookie "COOKIE" "cookie" Credential Shape,
    UrlUserinfo "URL_USERINFO" "userinfo" Credential Shape,
    UrlQuerySecret "URL_QUERY_SECRET" "query-secret" Credential Shape,
    Password "PASSWORD" "password" Credential Context,
    ApiKeyGeneric "API_KEY_GENERIC" "api-key" Credential Context,
    HighEntropy "HIGH_ENTROPY" "secret" Credential Context,
    UsSsn "US_SSN" "ssn" UsGov Shape,
    UsItin "US_ITIN" "itin" UsGov Shape,
    UsEin "US_EIN" "ein" UsGov Checked,
    UsPassport "US_PASSPORT" "passport" UsGov Context,
    DriverLicense "DRIVER_LICENSE" "driver-license" UsGov Context,
    Iban "IBAN" "iban" Bank Shape,
    UsRouting "US_ROUTING" "routing-number" Bank Checked,
    BankAccount "BANK_ACCOUNT" "bank-account" Bank Context,
    SwiftBic "SWIFT_BIC" "bic" Bank Checked,
    UkSortCode "UK_SORT_CODE" "sort-code" Bank Context,
    Btc "BTC_ADDRESS" "btc-address" Crypto Shape,
    Eth "ETH_ADDRESS" "eth-address" Crypto Checked,
    Mrn "MRN" "mrn" Health Context,
    UsMbi "US_MBI" "mbi" Health Checked,
    UsDea "US_DEA" "dea" Health Checked,
    UsNpi "US_NPI" "npi" Health Checked,
    UkNhs "UK_NHS" "nhs-number" Health Checked,
    HealthPlan "HEALTH_PLAN" "health-plan" Health Context,
    PassportMrz "PASSPORT_MRZ" "passport-mrz" Vehicle Shape,
    Passport "PASSPORT" "passport" National Context,
    IdCard "ID_CARD" "id-card" National Context,
    AtSvnr "AT_SVNR" "national-id" National Checked,
    AuMedicare "AU_MEDICARE" "national-id" National Checked,
    AuTfn "AU_TFN" "national-id" National Checked,
    BeNrn "BE_NRN" "national-id" National Checked,
    BgEgn "BG_EGN" "national-id" National Checked,
    BrCnpj "BR_CNPJ" "tax-id" National Checked,
    BrCpf "BR_CPF" "national-id" National Checked,
    CaSin "CA_SIN" "national-id" National Checked,
    ChAhv "CH_AHV" "national-id" National Shape,
    CzRc "CZ_RC" "national-id" National Checked,
    DeSteuerId "DE_STEUER_ID" "national-id" National Checked,
    DeSvnr "DE_SVNR" "national-id" National Shape,
    DkCpr "DK_CPR" "national-id" National Checked,
    EeIk "EE_IK" "national-id" National Checked,
    EsDni "ES_DNI" "national-id" National Shape,
    EsNie "ES_NIE" "national-id" National Shape,
    FiHetu "FI_HETU" "national-id" National Shape,
    FrNir "FR_NIR" "national-id" National Checked,
    GrAmka "GR_AMKA" "national-id" National Checked,
    HrOib "HR_OIB" "national-id" National Checked,
    HuTaj "HU_TAJ" "national-id" National Checked,
    HuAdoazonosito "HU_TAX_ID" "national-id" National Checked,
    IePps "IE_PPS" "national-id" National Shape,
    InAadhaar "IN_AADHAAR" "national-id" National Checked,
    InPan "IN_PAN" "national-id" National Shape,
    ItCf "IT_CF" "national-id" National Shape,
    LtAk "LT_AK" "national-id" National Checked,
    LuId "LU_ID" "national-id" National Checked,
    LvPk "LV_PK" "national-id" National Checked,
    NlBsn "NL_BSN" "national-id" National Checked,
    NoFnr "NO_FNR" "national-id" National Checked,
    PlPesel "PL_PESEL" "national-id" National Checked,
    PtNif "PT_NIF" "national-id" National Checked,
    RoCnp "RO_CNP" "national-id" National Checked,
    SePnr "SE_PNR" "national-id" National Checked,
    SiEmso "SI_EMSO" "national-id" National Checked,
    UkNino "UK_NINO" "national-id" National Shape,
    UkUtr "UK_UTR" "tax-id" National Checked,
    NationalId "NATIONAL_ID" "national-id" National Context,
    Vin "VIN" "vin" Vehicle Shape,
    LicensePlate "LICENSE_PLATE" "license-plate" Vehicle Context,
    Imei "IMEI" "imei" Network Checked,
    Iccid "ICCID" "iccid" Network Checked,
    Email "EMAIL" "email" Contact Shape,
    Phone "PHONE" "phone" Contact Shape,
    DateOfBirth "DATE_OF_BIRTH" "date-of-birth" Contact Context,
    Address "ADDRESS" "address" Contact Context,
    PersonName "PERSON_NAME" "name" Contact Context,
    Geo "GEO" "geo" Contact Context,
    Ipv4 "IPV4" "ip" Network Shape,
    Ipv6 "IPV6" "ip" Network Shape,
    Mac "MAC" "mac" Network Shape,
    UserPath "USER_PATH" "user-path" Network Context,
}

impl Kind {
    /// The kind with this name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.id() == id)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u128);

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(u128::MAX);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// The set without one.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    /// True when the kind is in.
    #[inline]
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 != 0
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

// A bit of `Kinds` for each.
const _: () = assert!(Kind::ALL.len() <= 128);
