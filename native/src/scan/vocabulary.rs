//! Stage 3 of 7, redact: the keywords about persons and things, in the languages that services write. Thread: none; data.
//!
//! A space matches `_`, `-`, `.` and nothing as well: `date of birth` is `dateOfBirth` too. `*` at an end: more
//! letters may stand there. `=` in front: counts only as a name, in an attribute's key or before `=` or `:`.
//! Accents may be left out by who writes. Words are letters alone: `cvv` finds `cvv2`.

use crate::scan::words::Word;

/// What each keyword says.
pub static VOCABULARY: &[(Word, &str)] = &[
    (
        Word::Card,
        "card, card number*, card no, card num*, credit card*, debit card*, creditcard*, =cc, cc number, \
         cc num*, pan, visa, mastercard, amex, maestro, unionpay, avs, expiry, =exp, exp month, exp date, \
         expiration date, cardholder, kreditkarte*, kartennummer*, debitkarte*, karte, carte, \
         carte bancaire, numéro de carte, tarjeta*, carta di credito, carta di debito, numero carta, \
         kaartnummer*, creditcard, karta, karty, numer karty, cartão*, cartao de credito",
    ),
    (
        Word::Cvv,
        "cvv, cvc, csc, cav, cvn, security code*, card code, verification value*, card verification*, \
         kartenprüfnummer*, kartenprufziffer, prüfziffer, sicherheitscode, code de sécurité, cryptogramme*, \
         código de seguridad, codice di sicurezza, codigo de segurança, beveiligingscode, \
         kod bezpieczeństwa, kod cvv",
    ),
    (Word::Cid, "cid"),
    (Word::PinBlock, "pin block*, arqc, arpc, application cryptogram, encrypted pin*"),
    (Word::Iban, "iban*, kontonummer*"),
    (
        Word::Routing,
        "routing*, aba, rtn, =ach, ach routing, wire, fedwire, transit number*, bank routing*, aba number*",
    ),
    (
        Word::Account,
        "account number*, account num, account nbr, account no, acct number*, acct num*, acct no, acctno, \
         =acct, acct, from account, to account, source account*, destination account*, bank account*, bank acct*, checking account*, savings account*, deposit account*, \
         checking acct, savings acct, beneficiary account*, debtor account*, creditor account*, \
         payout account*, debit account*, credit account*, loan account*, kontonummer*, kontonr, konto nr, \
         bankkonto*, bankverbindung*, numéro de compte*, compte bancaire*, compte courant, \
         número de cuenta*, cuenta bancaria*, cuenta corriente, num cuenta, conto corrente, numero conto, \
         numero di conto, conto bancario, rekeningnummer*, bankrekening*, numer konta*, numer rachunku*, \
         rachunek bankowy, nr konta, nr rachunku, conta bancária*, numero da conta, conta corrente, \
         conta poupança",
    ),
    (
        Word::Wallet,
        "wallet*, deposit address*, eth, ethereum, btc, bitcoin, =to, =from, =spender, =recipient, \
         =sender, =owner, crypto address*, payout address*, from, spender, contract",
    ),
    (Word::SeedPhrase, "mnemonic*, seed phrase*, recovery phrase*, seed words*, seed"),
    (
        Word::Ssn,
        "ssn, social security*, social sec*, soc sec*, ss no, ss number, =social, =ssa, ssn last*, \
         seguro social*, =ss, socialsecurity*, ssnum*, ssnumber",
    ),
    (Word::Itin, "itin, atin, individual taxpayer*"),
    (
        Word::Ein,
        "ein, fein, employer id*, employer identification*, federal tax*, federal id*, federal employer*, \
         irs number, irs no, company tax*, business tax*, employer tax*, employer tin",
    ),
    (
        Word::Passport,
        "passport*, reisepass*, passnummer*, pass nr, passnr, ausweis*, passeport*, pasaporte*, \
         passaporto*, paspoort*, paszport*, passaporte*, travel document*, travel doc*, reisdocument*",
    ),
    (
        Word::License,
        "driver license*, drivers license*, driver licence*, drivers licence*, driving licence*, \
         driving license*, driver s license*, drivers lic, driver lic, dl, dln, dl number*, dl no, \
         license number*, licence number*, license no, licence no, führerschein*, fuehrerschein*, \
         fahrerlaubnis*, permis de conduire, permis conduire, numéro de permis, permiso de conducir, \
         licencia de conducir, carnet de conducir, carné de conducir, patente di guida, numero patente, \
         rijbewijs*, prawo jazdy, prawa jazdy, carta de condução, carteira de motorista, \
         carteira de habilitação, cnh",
    ),
    (
        Word::IdCard,
        "identity card*, identitycard*, id card*, identity document*, identification document*, \
         personalausweis*, ausweisnummer*, ausweis nr, carte nationale*, carte d identité, \
         pièce d identité, cni, documento de identidad*, documento identidad*, documento d identità, \
         carta d identità, carta identità*, carta di identità, identiteitskaart*, identiteitsbewijs*, \
         dowód osobisty, dowodu osobistego, numer dowodu, nr dowodu, cartão de cidadão, \
         bilhete de identidade, =rg",
    ),
    (
        Word::Npi,
        "npi, national provider*, provider id*, provider no, provider number*, provider npi, provider, \
         prescriber*, rendering provider*, referring provider*, billing provider*, attending provider*, \
         ordering provider*, physician id*",
    ),
    (Word::Dea, "dea, dea number*, dea no, controlled substance*, prescriber*, rx, pharmacy"),
    (Word::Mbi, "mbi, medicare*, hicn, beneficiary id*, beneficiary identifier*"),
    (
        Word::Mrn,
        "mrn, medical record*, medicalrecord*, med rec*, record number*, record no, health record*, \
         patient record*, chart no, chart number*, chart num*, chart id*, patient id*, patient no, \
         patient num*, patient number*, patient identifier*, patientid*, hospital number*, hospital no, \
         hospital id*, encounter id*, encounter no, encounter number*, patientennummer*, \
         patienten nr, patienten id*, patientenid*, fallnummer*, fall nr, numéro de patient, \
         numéro patient, numéro de dossier, numéro dossier, dossier médical, dossier patient, ipp, \
         historia clínica*, número de historia, cartella clinica, numero cartella, id paziente, \
         patiëntnummer*, patientnummer*, numer pacjenta, id pacjenta, nr pacjenta, karta pacjenta, \
         prontuário*, número do paciente, id do paciente, utente",
    ),
    (Word::Nhs, "nhs*, nhs number*, nhs no"),
    (
        Word::HealthPlan,
        "health plan*, subscriber id*, subscriber number*, insurance member*, insurance id*, \
         insurance policy*, medicaid*, insured id*, policyholder id*, member number*, plan member*, \
         beneficiary number*, health insurance*, health card*, krankenversicher*, versichertennummer*, \
         versicherten nr, versichertennr, kvnr, numéro d assuré, numéro d adhérent, carte vitale, \
         tarjeta sanitaria*, tessera sanitaria*, polisnummer*, zorgverzekering*, plan de saúde, carteirinha",
    ),
    (
        Word::Phone,
        "phone*, *phone, phone number*, telephone*, tel, mobile*, cell, cell phone*, cellphone*, msisdn*, \
         fax*, sms, whatsapp, callback number*, caller*, callee*, contact number*, contact no, dial, \
         dialed, dialled, dialing, telefon*, telefoon*, handy*, mobil, mobilnummer*, mobilfunk*, \
         rufnummer*, téléphone*, portable, gsm, teléfono*, tlf, móvil*, movil, celular*, cellulare*, \
         mobiel*, komórka*, komorkowy, telefone*, telemóvel*, nr tel, recapito telefonico, phn, phone no, \
         whatsapp number, numero, número, sms to, anumber, bnumber",
    ),
    (
        Word::Address,
        "street address*, home address*, postal address*, mailing address*, billing address*, \
         shipping address*, delivery address*, residential address*, residence address*, work address*, \
         office address*, customer address*, patient address*, user address*, person address*, \
         contact address*, property address*, ship to, shipped to, ships to, shipping to, bill to, \
         billed to, deliver to, delivered to, delivering to, delivery to, lives at, lives in, lived at, \
         living at, living in, resides at, resides in, residing at, residing in, resident at, resident of, \
         moved to, moving to, relocated to, dispatched to, dispatch to, pick up at, pickup at, sent to, \
         mailed to, =address, =addr, =street, =street name, =street line, =address line, =addr line, \
         address line*, =address full, full address*, formatted address*, =location address, wohnhaft*, \
         wohnt in, wohnort, anschrift*, adresse*, *adresse, *anschrift, =straße, =strasse, domicilié*, \
         domiciliée, demeurant*, habite à, habite au, habite, dirección*, domicilio*, vive en, \
         residente en, reside en, indirizzo*, residente in, residente a, abita in, =via, adres*, *adres, \
         woonachtig*, woont in, woont op, zamieszkały*, zamieszkała*, mieszka przy, =ulica, endereço*, \
         morada*, reside em, mora em, residência, liefern an, versand an, geliefert an, zugestellt an, \
         livrer à, livré à, expédié à, enviar a, enviado a, entregar en, spedire a, spedito a, \
         consegnare a, verzonden naar, bezorgd op, wysłano na",
    ),
    (
        Word::Name,
        "full name*, fullname*, first name*, firstname*, last name*, lastname*, given name*, givenname*, \
         family name*, familyname, surname*, middle name*, middlename, maiden name*, legal name, \
         real name*, patient name*, customer name*, cardholder name*, card holder*, cardholder, \
         holder name*, holdername, account holder*, accountholder*, employee name*, contact name*, \
         recipient name*, sender name*, beneficiary name*, person name*, client name*, member name*, \
         subscriber name*, guest name*, passenger name*, insured name*, guardian name*, doctor name*, \
         physician name*, provider name, prescriber name, student name*, teacher name*, applicant name*, \
         borrower name*, tenant contact name, buyer name*, seller name*, driver name*, rider name*, \
         traveler name*, traveller name*, payee name*, payer name*, debtor name*, creditor name*, \
         spouse name*, parent name*, child name*, emergency contact*, owner full name, name on card*, \
         nameoncard, user full name, user fullname, display name, displayname, billing name*, \
         shipping name*, user real name, vorname*, nachname*, familienname*, kundenname*, patientenname*, \
         karteninhaber*, kontoinhaber*, ansprechpartner*, =name des*, prénom*, nom complet, nom de famille, \
         nom du client, nom client, nom du patient, titulaire*, =nom, =nombre, nombre completo*, \
         nombre del cliente, nombre cliente, nombre del paciente, apellido*, titular*, =nome, \
         nome completo, cognome*, nome cliente, nome do cliente, nome paziente, intestatario*, sobrenome*, \
         voornaam*, achternaam*, klantnaam*, =naam, =imię, nazwisko*, imię i nazwisko, =fname, =lname",
    ),
    (
        Word::Person,
        "patient, customer, mr, mrs, ms, dr, miss, prof, client, employee, guest, passenger, recipient, \
         beneficiary, payee, payer, applicant, member, subscriber, borrower, insured, policyholder, \
         cardholder, nurse, doctor, physician, caller, user, signed by, on behalf of, attn, attention, \
         dear, name is, named, contact, herr, herrn, frau, kunde, kundin, patientin, monsieur, madame, mme, \
         mlle, cliente, señor, señora, sr, sra, don, doña, paciente, signor, signora, sig, paziente, dhr, \
         mevr, mevrouw, meneer, klant, patiënt, pani, klient, klientka, pacjent, pacjentka, senhor, \
         senhora, spouse, guardian, student, tenant name, holder, traveler, traveller, resident, buyer, \
         seller, driver, rider, booked for",
    ),
    (
        Word::Birth,
        "dob, date of birth*, dateofbirth*, birth date*, birthdate*, birthday*, birth day*, born*, =bday, \
         =birth, birth dt, d o b, geboren*, geburtsdatum*, geb datum, gebdatum, geb, geburtstag*, \
         date de naissance, naissance*, né le, née le, né e le, =ddn, fecha de nacimiento*, \
         fecha nacimiento, nacimiento*, nacido*, nacida*, fecha nac*, data di nascita, nato il, nata il, \
         nascita*, geboortedatum*, geboren op, data urodzenia*, urodzony*, urodzona*, data de nascimento, \
         nascimento*, nascido*, nascida*, fødselsdato*, födelsedatum*, fødselsdag*, syntymäaika*, \
         datum narození*, datumnarozeni, birthdt",
    ),
    (Word::Latitude, "lat, latitude*, breitengrad*, latitud*, latitudine*, breedtegraad*, szerokość*"),
    (
        Word::Longitude,
        "lon, lng, =long, longitude*, längengrad*, longitud*, longitudine*, lengtegraad*, długość geo*",
    ),
    (
        Word::Position,
        "gps*, coord, coords*, coordinates*, =coordinate, location*, geo, geolocation*, geofence*, \
         position*, latlng*, latlon*, lat lon*, lat lng*, geopoint*, geo point*, koordinaten*, \
         coordonnées*, coordenadas*, coordinate*, coördinaten*, współrzędne*, waypoint, standort*, \
         ubicación*",
    ),
    (
        Word::Ip,
        "ip, remote addr*, client addr*, peer, x forwarded for, ip addr*, ipaddr*, source ip, dest ip, client ip, clientip, remote ip, subnet",
    ),
    (Word::Mac, "mac, mac addr*, macaddr*, hwaddr*, hw addr*, hardware addr*, bssid, physical addr*"),
    (Word::Imei, "imei*, meid, handset*, device id*, imeisv, equipment identity*"),
    (Word::Iccid, "iccid*, sim card*, sim, sim serial*, sim number*"),
    (
        Word::Vin,
        "vin, vin number*, vin no, vehicle*, chassis*, fahrgestell*, fahrzeug*, =fin, chasis, bastidor*, \
         telaio*, châssis*, nadwozia*, chassi, chassisnummer*, voertuig*",
    ),
    (
        Word::Plate,
        "license plate*, licence plate*, licenseplate*, number plate*, plate number*, plate no, =plate, \
         plate, vehicle registration*, kennzeichen*, kfz kennzeichen*, immatriculation*, plaque*, \
         matrícula*, targa, kenteken*, numer rejestracyjny, tablica rejestracyjna, placa, \
         registration plate*",
    ),
    (Word::AtSvnr, "svnr, sv nr, sv nummer*, svnummer*, sozialversicherung*, versicherungsnummer*, vsnr"),
    (Word::AuMedicare, "medicare*"),
    (Word::AuTfn, "tfn, tax file*, taxfile*"),
    (
        Word::BeNrn,
        "rrn, nrn, niss, insz*, inss, rijksregister*, registre national*, numéro national, \
         nationaal nummer, nationalnummer, national register*, =nn",
    ),
    (Word::BgEgn, "egn, егн, единен граждански номер"),
    (Word::BrCnpj, "cnpj*"),
    (Word::BrCpf, "cpf*, cadastro de pessoa*"),
    (Word::CaSin, "sin, social insurance*, socialinsurance*, assurance sociale, =nas"),
    (Word::ChAhv, "ahv*, avs, oasi, ahvn, navs"),
    (Word::CzRc, "=rc, rodné číslo*, rodneho cisla, rodne cislo*, rč, birth number*, r č"),
    (Word::DeSteuerId, "steuer*, identifikationsnummer*, idnr, id nr, idnummer, tin"),
    (
        Word::DeSvnr,
        "sozialversicherung*, rentenversicherung*, rvnr, sv nummer*, versicherungsnummer*, svnr, sv nr, vsnr",
    ),
    (Word::DkCpr, "cpr*, personnummer*, civil registration*"),
    (Word::EeIk, "isikukood*, isiku kood, =ik"),
    (
        Word::EsDni,
        "dni, nif, nie, documento nacional*, documento de identidad*, documento identidad*, extranjero*",
    ),
    (Word::FiHetu, "hetu, henkilötunnus*, henkilotunnus*, personal identity code*"),
    (
        Word::FrNir,
        "nir, nss, numéro de sécurité sociale, sécurité sociale*, num secu, numéro de sécu, \
         numsecu, sécu, insee, num ss, numéro sécu*, nosecu, n secu",
    ),
    (Word::GrAmka, "amka, αμκα"),
    (Word::HrOib, "oib*"),
    (Word::HuTaj, "taj, taj szám*, tajszám*"),
    (Word::HuTax, "adóazonosító*, adóazonosító jel*, adószám"),
    (Word::IePps, "pps, ppsn, pps no, pps number*"),
    (Word::InAadhaar, "aadhaar*, aadhar*, adhaar*, uidai, uid"),
    (Word::InPan, "pan, pan card*, permanent account*, pan no, pan number*"),
    (Word::ItCf, "codice fiscale*, =cf, cf, cod fiscale, codfiscale, fiscal code*"),
    (Word::LtAk, "asmens kodas, asmens kodo, asmens kodą, asmenskodas"),
    (Word::LuId, "matricule*, numéro d identification*"),
    (Word::LvPk, "personas kods, personas koda, personas kodu, personaskods"),
    (
        Word::NlBsn,
        "bsn*, burgerservicenummer*, burger service nummer*, sofinummer*, sofi nummer*, sofi nr, =sofi",
    ),
    (Word::NoFnr, "fødselsnummer*, fodselsnummer*, fnr, personnummer*, personnr, d nummer, dnummer"),
    (Word::PlPesel, "pesel*"),
    (Word::PtNif, "nif, contribuinte*, identificação fiscal, =nipc"),
    (Word::RoCnp, "cnp, cod numeric personal, codul numeric personal, =cnp"),
    (
        Word::SePnr,
        "personnummer*, personnr, person nr, person nummer, pnr, samordningsnummer*, organisationsnummer",
    ),
    (Word::SiEmso, "emšo"),
    (Word::UkNino, "nino, national insurance*, ni number*, ni no, nationalinsurance*, hmrc"),
    (Word::UkUtr, "utr, unique taxpayer*"),
    (
        Word::NationalId,
        "national id*, nationalid*, national identi*, national number*, personal id, personal id number*, \
         personal code*, personal number*, personal identi*, personal no, identity number*, identity no, \
         identification number*, identification no, id number*, idnumber*, id no, citizen id*, \
         citizen number*, citizen no, citizenid*, citizenship number*, resident registration*, civil id*, \
         government id*, gov id*, govt id*, insurance number*, insurance no, document number*, document no, \
         doc number*, doc no, identifikationsnummer*, ausweisnummer*, personenkennziffer*, \
         numéro d identité, numéro d identification*, número de identificación*, numero di identificazione, \
         identificatienummer*, numer identyfikacyjny, número de identificação, national insurance*, \
         social number*, personal identification*, personnummer*, person number*, persoonsnummer*, \
         kyc number, kyc id number",
    ),
    (
        Word::TaxId,
        "tax id*, taxid*, tax number*, tax no, taxnumber*, tax identification*, tax ref*, taxpayer*, tin, \
         fiscal number*, fiscal id*, fiscal code*, numéro fiscal*, número fiscal*, numero fiscale, \
         steuernummer*, steuer nr, steuer id*, vat id*, belastingnummer*, numer podatkowy, \
         identificación fiscal*, contribuyente*, contribuente*",
    ),
    (
        Word::Version,
        "version*, ver, =v, release*, build*, firmware*, kernel*, sdk*, library, driver version, package, \
         pkg, upgrade*, downgrade*, assembly, assemblyversion, fileversion, \
         protocol, revision, bios, os version, product, semver, patch, tag, image, versión*, \
         versao*, versione*, wersja*, versie*, updated to, update, upgraded to, plugin, app, fw, component, \
         dependency, module, api version, client version, agent version, schema version, =os",
    ),
    (
        Word::Serial,
        "serial*, order*, invoice*, tracking*, shipment*, batch*, offset*, sku, part, part no, \
         part number*, partnumber*, item*, ticket*, job*, isbn, ean, upc, gtin, asin, row*, lsn, sequence*, \
         seq, gauge*, meter*, carrier*, model, asset*, lot, case, product*, catalog*, barcode*, rma, po, \
         purchase order*, seriennummer*, bestellung*, bestellnummer*, rechnung*, auftrag*, numéro de série, \
         commande*, facture*, pedido*, factura*, ordine*, fattura*, bestelling*, factuur*, zamówienie*, \
         faktura*, partition*, message id*, msgid*, snowflake*, cursor, page, port, pid, process id, \
         thread id, cloud account*, aws account*, account id aws",
    ),
];
