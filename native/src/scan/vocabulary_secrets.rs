//! Stage 3 of 7, redact: the keywords about secrets, in the languages that services write. Thread: none; data.
//!
//! The signs are those of `vocabulary`.

use crate::scan::words::Word;

/// What each keyword says.
pub static SECRETS: &[(Word, &str)] = &[
    (
        Word::Password,
        "password*, *password, passwd*, *passwd, passphrase*, pass phrase, pwd, *pwd, =pass, passcode*, \
         =pw, kennwort*, passwort*, mot de passe*, =mdp, contraseña*, =clave, wachtwoord*, hasło, haslo, \
         senha*, palavra passe, parola d ordine, parola chiave, =pin, pin code, =otp, otp code, \
         one time password*, one time code, one time passcode, totp*, mfa code, fa code, verification code*",
    ),
    (
        Word::Secret,
        "secret*, *secret, signing key*, private key*, privatekey*, encryption key*, decryption key*, \
         credential*, master key*, hmac key*, shared key*, account key*, storage key*, webhook secret*, \
         geheimnis*, passkey*",
    ),
    (
        Word::Token,
        "token*, *token, =pat, jwt*, access token*, refresh token*, id token*, session token*, csrf*, \
         xsrf*",
    ),
    (
        Word::ApiKey,
        "api key*, apikey*, app key*, appkey*, access key*, accesskey*, secret key*, auth key*, \
         subscription key*, license key*, client key*, service key*",
    ),
    (Word::Scheme, "bearer, basic, digest"),
    (Word::Authorization, "authorization, proxy authorization, =auth, =authorisation"),
    (
        Word::Cookie,
        "cookie*, set cookie*, session id*, sessionid*, *sessionid, jsessionid, phpsessid, connect sid, \
         =sid, =sess, =session, csrftoken, session key*",
    ),
    (Word::Aws, "aws*, amazon*"),
    (Word::Azure, "azure*, accountkey*, account key*, sharedaccesskey*, shared access*, storage account*"),
];
