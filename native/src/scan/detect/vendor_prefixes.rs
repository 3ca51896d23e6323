//! Stage 3 of 7, redact: how the tokens of vendors begin. Thread: none; data.
//!
//! What is commonly known of the tokens' shapes; not every row was compared with its vendor's page. Lengths are wider than
//! what is handed out today. Keys that are made to be public are left out.

use crate::scan::kind::Kind;

/// What stands behind a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Letters, digits, `-` and `_`.
    Any,
    /// Letters and digits.
    Alphanumeric,
    /// Hexadecimal digits in small letters.
    Hex,
    /// Capitals and digits.
    Capitals,
    /// As `Any`, with dots between.
    Dotted,
}

/// One way to begin: the kind, the prefix, the fewest and the most bytes behind it, and what they are.
#[derive(Debug, Clone, Copy)]
pub struct Prefix {
    /// What it is.
    pub kind: Kind,
    /// How it begins.
    pub text: &'static str,
    /// Fewest bytes behind.
    pub least: usize,
    /// Most bytes behind.
    pub most: usize,
    /// What they are.
    pub body: Body,
}

macro_rules! prefixes {
    ($($kind:ident $least:literal..$most:literal $body:ident $($text:literal)+;)*) => {
        /// Every prefix.
        pub static PREFIXES: &[Prefix] = &[
            $($(Prefix { kind: Kind::$kind, text: $text, least: $least, most: $most, body: Body::$body },)+)*
        ];
    };
}

prefixes! {
    AwsAccessKeyId 16..16 Capitals "AKIA" "ASIA" "ABIA" "ACCA";
    VendorToken 100..4096 Any "ABSK";
    GithubToken 36..255 Alphanumeric "ghp_" "gho_" "ghu_" "ghs_" "ghr_";
    GithubToken 40..255 Any "github_pat_";
    GitlabToken 20..300 Any "glpat-" "gldt-" "glrt-" "glcbt-" "glptt-" "glft-" "glimt-" "glsoat-" "glffct-"
        "glagent-" "gloas-" "GR1348941";
    SlackToken 10..400 Any "xoxb-" "xoxp-" "xoxa-" "xoxr-" "xoxs-" "xoxe-" "xoxc-" "xoxd-" "xapp-" "xwfp-";
    StripeKey 10..250 Alphanumeric "sk_live_" "sk_test_" "rk_live_" "rk_test_" "whsec_" "sk_prod_" "rk_prod_";
    AnthropicKey 20..300 Any "sk-ant-";
    OpenaiKey 20..300 Any "sk-proj-" "sk-svcacct-" "sk-admin-" "sk-or-v1-" "sk-None-" "sk-lf-";
    OpenaiKey 32..64 Alphanumeric "sk-";
    SendgridKey 40..80 Dotted "SG.";
    NpmToken 36..36 Alphanumeric "npm_";
    GcpApiKey 35..35 Any "AIza";
    VendorToken 20..600 Any "ya29.";
    VendorToken 28..28 Any "GOCSPX-";
    VendorToken 50..400 Any "pypi-AgEIcHlwaS5vcmc" "pypi-AgENdGVzdC5weXBpLm9yZw";
    VendorToken 30..60 Alphanumeric "hf_" "gsk_" "r8_" "pplx-" "xai-" "lin_api_" "lin_oauth_" "ntn_" "secret_" "pscale_oauth_";
    VendorToken 32..80 Any "pcsk_" "lsv2_pt_" "lsv2_sk_" "csk-" "tvly-" "nvapi-" "jina_" "voy-";
    VendorToken 32..32 Hex "SK" "shpat_" "shpca_" "shppa_" "shpss_" "dapi" "key-" "tfp_";
    VendorToken 64..64 Hex "dop_v1_" "doo_v1_" "dor_v1_" "xkeysib-";
    VendorToken 20..400 Any "hvs." "hvb." "hvr." "ATATT3" "ATCTT3" "ATBB" "dckr_pat_" "dckr_oat_" "figd_" "pul-"
        "rubygems_" "sbp_" "sntrys_" "sntryu_" "glsa_" "glc_" "pscale_tkn_" "pscale_pw_" "sqp_" "squ_" "sqa_"
        "nfp_" "napi_" "rnd_" "tskey-auth-" "tskey-api-" "tskey-client-" "CFPAT-" "PMAK-" "NRAK-" "NRJS-"
        "NRII-" "HRKU-" "bkua_" "CCIPAT_" "dp.pt." "dp.st." "dp.sa." "fo1_" "FlyV1" "fm1_" "duffel_live_"
        "duffel_test_" "EZAK" "EZTK" "shippo_live_" "shippo_test_" "sq0atp-" "sq0csp-" "access-sandbox-"
        "access-production-" "ops_ey" "AGE-SECRET-KEY-1" "LTAI" "AKCp" "dt0c01." "rdme_" "CLOJARS_"
        "p8e-" "api_org_" "fio-u-" "ghsec_" "vercel_" "sgp_" "EAACEdEose0cBA"
        "pnu_" "tk-us-" "phx_" "phs_" "statuspage_" "svix_" "testsk_" "whsk_" "key_live_" "rzp_live_"
        "sl.u." "crates-io_" "ak_live_" "api_live_";
}
