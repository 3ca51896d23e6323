//! Stage 3: checks of numbers, on numbers that their issuers or python-stdnum publish as examples.

use fapilog_native::scan::check;

/// A check, numbers that pass it, and numbers that do not.
type Row = (&'static str, fn(&[u8]) -> bool, &'static [&'static str], &'static [&'static str]);

const PAYMENT: &[Row] = &[
    (
        "pan",
        check::is_pan,
        &[
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "6011111111111117",
            "30569309025904",
            "38520000023237",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
        ],
        &[
            "4111111111111112",
            "1111111111111117",
            "0000000000000000",
            "411111111111111",
            "41111111111111111111",
            "",
        ],
    ),
    (
        "iban",
        check::is_iban,
        &[
            "GB82WEST12345698765432",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ],
        &["GB82WEST12345698765433", "DE8937040044053201300", "ZZ89370400440532013000", "GB82"],
    ),
    (
        "aba",
        check::is_aba,
        &["011000015", "021000021", "322271627"],
        &["011000016", "911000015", "000000000", "01100001"],
    ),
    (
        "btc",
        check::is_btc,
        &[
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ],
        &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp", "bc1", "1"],
    ),
    (
        "eip55",
        check::is_eip55,
        &["5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
        &["5aAeb6053F3E94C9b9A09f33669435E7Ef1BeaEd", "5aAe"],
    ),
];

const AMERICA: &[Row] = &[
    (
        "ssn",
        check::is_ssn,
        &["536221034", "001010001"],
        &["000221034", "666221034", "900221034", "536001034", "536220000", "078051120", "111111111"],
    ),
    (
        "itin",
        check::is_itin,
        &["912903456", "900700000", "999881234"],
        &["912493456", "912663456", "812903456"],
    ),
    ("ein", check::is_ein, &["911144442", "011234567"], &["071144442", "001234567", "9111444"]),
    ("ca.sin", check::is_ca_sin, &["123456782", "130692544"], &["123456783", "046454286", "800000002"]),
    ("br.cpf", check::is_br_cpf, &["39053344705"], &["23100299955", "11111111111"]),
    (
        "br.cnpj",
        check::is_br_cnpj,
        &["16727230000197", "12ABC34501DE35"],
        &["16727230000198", "00000000000000"],
    ),
    ("npi", check::is_npi, &["1234567893", "1245319599"], &["1234567894", "3234567893"]),
    ("dea", check::is_dea, &["AB1234563", "F91234563"], &["AB1234564", "1B1234563", "AB123456"]),
    ("mbi", check::is_mbi, &["1EG4TE5MK73", "1EG4TE5MK72"], &["0EG4TE5MK73", "1SG4TE5MK73", "1EG4TE5MK7"]),
];

const WEST: &[Row] = &[
    ("nhs", check::is_nhs, &["9434765919", "9434765870"], &["9434765918", "1111111111"]),
    ("de.idnr", check::is_de_steuer_id, &["36574261809", "86095742719"], &["36574261890", "36554266806"]),
    (
        "de.svnr",
        check::is_de_svnr,
        &["15070649C103", "65180539W001"],
        &["15070649C104", "15070650C103", "150706491103"],
    ),
    (
        "fr.nir",
        check::is_fr_nir,
        &["295109912611193", "253072B07300470", "253072A07300443"],
        &["295109912611199", "253072C07300443"],
    ),
    ("nl.bsn", check::is_nl_bsn, &["111222333", "941331490"], &["111252333", "000000000"]),
    ("be.nrn", check::is_be_nrn, &["85073003328", "17073003384"], &["85073003329", "85333003328"]),
    ("at.svnr", check::is_at_svnr, &["1237010180"], &["2237010180", "0237010180"]),
    (
        "ie.pps",
        check::is_ie_pps,
        &["6433435F", "6433435FT", "6433435IH"],
        &["6433435E", "6433435FA", "643343F"],
    ),
    ("lu.id", check::is_lu_id, &["1893120105732"], &["1893120105733"]),
    (
        "uk.nino",
        check::is_uk_nino,
        &["AB123456C", "JG103759A"],
        &["BG123456C", "DA123456C", "AB123456E", "AO123456C"],
    ),
    ("uk.utr", check::is_uk_utr, &["1955839661"], &["2955839661"]),
    ("ch.ahv", check::is_ch_ahv, &["7569217076985"], &["7569217076984", "1239217076985"]),
];

const NORTH_AND_EAST: &[Row] = &[
    ("se.pnr", check::is_se_pnr, &["8803200016", "198803200016"], &["8803200018", "8813200016"]),
    ("no.fnr", check::is_no_fnr, &["15108695088"], &["15108695077"]),
    ("dk.cpr", check::is_dk_cpr, &["2110625629"], &["2113625629"]),
    (
        "fi.hetu",
        check::is_fi_hetu,
        &["131052-308T", "131052A308T"],
        &["131052-308U", "310252-308Y", "131052/308T"],
    ),
    ("ee.ik", check::is_ee_ik, &["36805280109"], &["36805280108"]),
    ("lt.ak", check::is_lt_ak, &["38703181745", "90099001239"], &["38703181746", "90099001238"]),
    ("lv.pk", check::is_lv_pk, &["16117519997", "32000000000"], &["16117519998"]),
    ("pl.pesel", check::is_pl_pesel, &["44051401359"], &["44051401358", "44931401359"]),
    ("cz.rc", check::is_cz_rc, &["7103192745"], &["7103192746", "1103492745"]),
    ("ro.cnp", check::is_ro_cnp, &["1630615123457"], &["1630615123458", "8800101221142"]),
    ("bg.egn", check::is_bg_egn, &["7523169263", "8032056031"], &["8019010008"]),
    ("hr.oib", check::is_hr_oib, &["33392005961"], &["33392005962"]),
    ("hu.taj", check::is_hu_taj, &["111111110"], &["111111111", "000000000"]),
    ("hu.tax", check::is_hu_tax_id, &["8071592153"], &["8071592154", "7071592153"]),
    ("si.emso", check::is_si_emso, &["0101006500006"], &["0101006500007"]),
];

const SOUTH_AND_ELSEWHERE: &[Row] = &[
    ("es.dni", check::is_es_dni, &["54362315K"], &["54362315Z", "5436231K"]),
    ("es.nie", check::is_es_nie, &["X2482300W"], &["X2482300A", "A2482300W"]),
    ("pt.nif", check::is_pt_nif, &["501964843"], &["501964842", "001964843"]),
    ("it.cf", check::is_it_cf, &["RCCMNL83S18D969H"], &["RCCMNL83S18D967H"]),
    ("gr.amka", check::is_gr_amka, &["01013099997"], &["01013099999"]),
    ("in.aadhaar", check::is_in_aadhaar, &["234123412346"], &["234123412347", "123412341234"]),
    ("in.pan", check::is_in_pan, &["ACUPA7085R"], &["ACUZA7085R", "ACUPA7085"]),
    ("au.tfn", check::is_au_tfn, &["123456782"], &["999999999"]),
    ("au.medicare", check::is_au_medicare, &["2123456701", "21234567011"], &["2123456711", "9123456701"]),
    (
        "imei",
        check::is_imei,
        &["490154203237518", "354178036859789"],
        &["490154203237519", "000000000000000"],
    ),
    ("iccid", check::is_iccid, &["8991101200003204514"], &["8991101200003204515", "1991101200003204514"]),
    (
        "vin",
        check::is_vin,
        &["1M8GDM9AXKP042788", "5GZCZ43D13S812715"],
        &["1M8GDM9A1KP042788", "1M8GDM9AXKPO42788"],
    ),
    (
        "mrz",
        check::is_mrz_line,
        &[
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
            "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
            "I<UTOD231458907<<<<<<<<<<<<<<<",
            "7408122F1204159UTO<<<<<<<<<<<6",
        ],
        &["L898902C36UTO7408123F1204159ZE184226B<<<<<10", "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"],
    ),
];

#[test]
fn each_check_takes_what_is_right_and_nothing_else() {
    for (name, is_right, right, wrong) in
        [PAYMENT, AMERICA, WEST, NORTH_AND_EAST, SOUTH_AND_ELSEWHERE].into_iter().flatten()
    {
        for number in *right {
            assert!(is_right(number.as_bytes()), "{name} refuses {number}");
        }
        for number in *wrong {
            assert!(!is_right(number.as_bytes()), "{name} takes {number}");
        }
    }
}

#[test]
fn no_check_takes_odd_bytes_or_panics_at_a_length() {
    for (name, is_right, _, _) in
        [PAYMENT, AMERICA, WEST, NORTH_AND_EAST, SOUTH_AND_ELSEWHERE].into_iter().flatten()
    {
        for length in 0..48 {
            for byte in [0, b'/', b':', b'a', b'\xff'] {
                assert!(!is_right(&vec![byte; length]), "{name} takes {length} times {byte}");
            }
            for byte in [b'0', b'9', b'A', b'Z', b'<'] {
                let _ = is_right(&vec![byte; length]);
            }
        }
    }
}

#[test]
fn the_words_of_a_wallet_need_their_checksum() {
    let phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    assert!(check::is_seed_phrase(phrase));
    assert!(!check::is_seed_phrase(&phrase.replace("yellow", "year")));
    assert!(!check::is_seed_phrase("the quick brown fox jumps over the lazy dog and then sleeps"));
    assert!(!check::is_seed_phrase(&"abandon ".repeat(40)));
}
