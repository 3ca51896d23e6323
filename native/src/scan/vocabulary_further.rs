//! Stage 3 of 7, redact: keywords about banks, commands and roles, and further phrasings of the rest. Thread: none; data.
//!
//! The signs are those of `vocabulary`.

use crate::scan::words::Word;

/// What each keyword says.
pub static FURTHER: &[(Word, &str)] = &[
    (Word::Bic, "bic, swift, swift code*, bic code*, bic swift, swift bic, bankleitcode"),
    (Word::SortCode, "sort code*, sortcode*, =sc"),
    (Word::Account, "acc no, acc number*, acc num, accno, a c no, account nr, accountnumber*"),
    (Word::Command, "curl, wget, sshpass, mysql, mysqldump, mysqladmin, mariadb, redis cli, docker login, podman login"),
    (Word::Code, "otp, otp code, sms code, login code, security pin"),
    (Word::Hl7, "pid"),
    (Word::BareName, "=name, user name, username, full user name, assignee*, =author, =owner*, contact person*, =contact, =recipient"),
    (
        Word::Person,
        "person, owner, author, assigned to, approved by, reviewed by, requested by, submitted by, reported by, \
         booked by, handled by, treated by, prescribed by, written by, referred by, on call",
    ),
    (Word::Name, "=family, =given, =maiden, forename*, christian name*, cardholder s name, prenume, jméno, příjmení"),
    (
        Word::Address,
        "adresse de livraison, adresse de facturation, adresse postale, dirección de envío, \
         dirección de entrega, dirección de facturación, indirizzo di spedizione, indirizzo di consegna, \
         indirizzo di fatturazione, endereço de entrega, adres dostawy, adres zamieszkania, \
         adres korespondencyjny, lieferadresse*, rechnungsadresse*, geocode*, geocoding, geocoder, \
         postal addr, mail to address, registered address*, correspondence address*, current address*, \
         previous address*, permanent address*",
    ),
    (
        Word::HealthPlan,
        "member id*, memberid*, member no, subscriber no, subscriberid*, policy number*, policy no, \
         policynumber*, enrollee id*, enrollee number*, insured number*, insurance number*, \
         insurance card*, mitgliedsnummer*, policennummer*, versicherungsschein*, numéro de mutuelle, \
         número de póliza, numero polizza, numer polisy, número da apólice, cardmember id",
    ),
    (Word::Birth, "birth year*, geboortedag*, naissance le, nata, nato, nacido el, nacida el, ur"),
];
