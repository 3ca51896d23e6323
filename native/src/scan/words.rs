//! Stage 3 of 7, redact: what keywords mean. Thread: caller.

macro_rules! word_classes {
    ($($variant:ident $doc:literal,)*) => {
        /// What a keyword says about the value near it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Word {
            $(#[doc = $doc] $variant,)*
        }

        const COUNT: usize = [$(Word::$variant,)*].len();
    };
}

word_classes! {
    Card "a payment card",
    Cvv "a card verification value",
    Cid "a card verification value, or the number of a customer",
    PinBlock "an encrypted PIN, or a cryptogram of a card",
    Iban "an international account number",
    Routing "a routing number",
    Account "an account number",
    Wallet "a wallet of a crypto currency, or a side of its transfers",
    SeedPhrase "the words of a wallet",
    Ssn "a social security number of the United States",
    Itin "a taxpayer number of the United States",
    Ein "an employer number of the United States",
    Passport "a passport",
    License "a driving licence",
    IdCard "an identity card",
    Npi "a provider number",
    Dea "a prescriber number",
    Mbi "a Medicare number",
    Mrn "a medical record",
    Nhs "an NHS number",
    HealthPlan "membership of a health plan",
    Phone "a telephone",
    Email "an e-mail address",
    Address "a postal address",
    Machine "an address of a machine, if it is one word: no keyword, but names of keys",
    Name "a person's name",
    Person "a word before a name: patient, Mrs",
    Birth "a date of birth",
    Latitude "a latitude",
    Longitude "a longitude",
    Position "a pair of coordinates",
    Ip "an address of the network",
    Mac "an address of a network card",
    Imei "a mobile device",
    Iccid "a SIM card",
    Vin "a vehicle",
    Plate "a licence plate",
    AtSvnr "`AT_SVNR`",
    AuMedicare "`AU_MEDICARE`",
    AuTfn "`AU_TFN`",
    BeNrn "`BE_NRN`",
    BgEgn "`BG_EGN`",
    BrCnpj "`BR_CNPJ`",
    BrCpf "`BR_CPF`",
    CaSin "`CA_SIN`",
    ChAhv "`CH_AHV`",
    CzRc "`CZ_RC`",
    DeSteuerId "`DE_STEUER_ID`",
    DeSvnr "`DE_SVNR`",
    DkCpr "`DK_CPR`",
    EeIk "`EE_IK`",
    EsDni "`ES_DNI`",
    FiHetu "`FI_HETU`",
    FrNir "`FR_NIR`",
    GrAmka "`GR_AMKA`",
    HrOib "`HR_OIB`",
    HuTaj "`HU_TAJ`",
    HuTax "`HU_TAX_ID`",
    IePps "`IE_PPS`",
    InAadhaar "`IN_AADHAAR`",
    InPan "`IN_PAN`",
    ItCf "`IT_CF`",
    LtAk "`LT_AK`",
    LuId "`LU_ID`",
    LvPk "`LV_PK`",
    NlBsn "`NL_BSN`",
    NoFnr "`NO_FNR`",
    PlPesel "`PL_PESEL`",
    PtNif "`PT_NIF`",
    RoCnp "`RO_CNP`",
    SePnr "`SE_PNR`",
    SiEmso "`SI_EMSO`",
    UkNino "`UK_NINO`",
    UkUtr "`UK_UTR`",
    NationalId "a number that a state gives to a person, whichever",
    TaxId "a number that a tax office gives, whichever",
    Password "a password, passphrase or PIN",
    Secret "a secret, signing key or credential",
    Token "a token",
    ApiKey "a key to an interface",
    Authorization "an authorization header",
    Scheme "a way to authenticate: bearer, basic",
    Cookie "a cookie header, or a session's identifier",
    Aws "Amazon",
    Azure "Azure",
    Version "a version, release or build: dotted numbers are no addresses",
    Bic "a bank's code for transfers",
    SortCode "a branch of a bank in the United Kingdom",
    Command "a command that takes a password as an option",
    Code "a code for one use",
    Hl7 "a segment of a message about a patient",
    BareName "a name, of a person or of a thing",
    Serial "a number of a thing: order, part, batch, offset",
}

/// A set of word classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Words(u128);

impl Words {
    /// No word.
    pub const NONE: Self = Self(0);

    /// A set of these.
    #[must_use]
    pub const fn of(words: &[Word]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < words.len() {
            set |= 1 << words[at] as u8;
            at += 1;
        }
        Self(set)
    }

    /// The set with one more.
    #[inline]
    #[must_use]
    pub const fn with(self, word: Word) -> Self {
        Self(self.0 | 1 << word as u8)
    }

    /// Both sets.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set without those of the other.
    #[inline]
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when the word is in.
    #[inline]
    #[must_use]
    pub const fn has(self, word: Word) -> bool {
        self.0 >> word as u8 & 1 != 0
    }

    /// True when one of the other set is in.
    #[inline]
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True without a word.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

// A bit of `Words` for each.
const _: () = assert!(COUNT <= 128);
