//! IO: what a connection's Secrets hold, and the client of its provider that is built from it.

use url::Url;

use super::{allowed_endpoint, value};
use crate::api::condition::Reason;
use crate::api::connection::{
    AccessKeyAuth, AppMaker as AppMakerSpec, CodeArts, CodeArtsAuth, ConnectionSpec, PasswordAuth,
};
use crate::api::source::{KeyRef, SecretSource};
use crate::controller::connections::Service;
use crate::controller::context::Context;
use crate::controller::index::User;
use crate::controller::refuse::Halt;
use crate::controller::sources::SourceKind;
use crate::domain::refusal::Refusal;
use crate::domain::secret::SecretText;
use crate::remote::app_maker::AppMaker;
use crate::remote::caller::Caller;
use crate::remote::codearts::auth::{Auth, AuthToken};
use crate::remote::codearts::check::Check;
use crate::remote::codearts::iam::{Login, Tokens};
use crate::remote::codearts::signer::{AccessKey, KeyError};
use crate::remote::http::SetupError;

/// What a client is built from.
pub(super) struct Given {
    /// The endpoint, allowed and normalised.
    pub endpoint: Url,
    /// What to do where the remote rejects the credentials.
    pub advice: &'static str,
    /// What the Secrets hold.
    pub values: Vec<SecretText>,
    /// Their resourceVersions.
    pub versions: String,
    credentials: Credentials,
}

/// Credentials, by provider and way to authenticate. Where a value is from is kept, for saying what can't be used.
enum Credentials {
    AppMaker(SecretText, KeyRef),
    Token(SecretText, KeyRef),
    Password {
        iam: Url,
        login: Login,
        from: KeyRef,
    },
    AccessKey {
        spec: AccessKeyAuth,
        access_key: SecretText,
        secret_key: SecretText,
        security_token: Option<SecretText>,
    },
}

/// Reads what a connection's Secrets hold, and checks its endpoints.
pub(super) async fn given(
    context: &Context,
    spec: &ConnectionSpec,
    namespace: &str,
    user: &User,
) -> Result<Given, Halt> {
    let mut read = Read { context, namespace, user, values: vec![], versions: String::new() };
    let (endpoint, advice, credentials) = match (&spec.app_maker, &spec.code_arts) {
        (Some(app_maker), None) => read.app_maker(app_maker).await?,
        (None, Some(code_arts)) => read.code_arts(code_arts).await?,
        _ => return Err(invalid("set exactly one of spec.appMaker and spec.codeArts").into()),
    };
    let Read { values, versions, .. } = read;
    Ok(Given { endpoint, advice, values, versions, credentials })
}

/// Builds the client.
pub(super) fn build(given: Given, caller: Caller) -> Result<Service, Refusal> {
    let Given { endpoint, credentials, .. } = given;
    let auth = match credentials {
        Credentials::AppMaker(token, from) => {
            let built = AppMaker::new(endpoint, &token, caller);
            return built.map(Service::AppMaker).map_err(|error| unusable("Secret", &from, &error));
        }
        Credentials::Token(token, from) => {
            Auth::Token(AuthToken::new(token).map_err(|error| unusable("Secret", &from, &error))?)
        }
        Credentials::Password { iam, login, from } => {
            if login.password.expose().is_empty() {
                return Err(unusable("Secret", &from, &"the password is empty"));
            }
            Auth::Password(Tokens::new(iam, login).map_err(|error| invalid(error.to_string()))?.into())
        }
        Credentials::AccessKey { spec, access_key, secret_key, security_token } => {
            let key = AccessKey::new(&spec.project_id, access_key, secret_key, security_token);
            Auth::AccessKey(key.map_err(|error| unusable_key(&spec, error))?)
        }
    };
    Check::new(endpoint, auth, caller).map(Service::CodeArts).map_err(|error: SetupError| invalid(error.to_string()))
}

/// The reading of one connection's values.
struct Read<'a> {
    context: &'a Context,
    namespace: &'a str,
    user: &'a User,
    values: Vec<SecretText>,
    versions: String,
}

impl Read<'_> {
    async fn app_maker(&mut self, spec: &AppMakerSpec) -> Result<(Url, &'static str, Credentials), Halt> {
        let AppMakerSpec { endpoint, token_from } = spec;
        let endpoint = allowed_endpoint(self.context, "spec.appMaker.endpoint", endpoint)?;
        let token = self.secret(token_from).await?;
        let credentials = Credentials::AppMaker(token, token_from.secret_key_ref.clone());
        Ok((endpoint, "put a valid token into its Secret", credentials))
    }

    async fn code_arts(&mut self, spec: &CodeArts) -> Result<(Url, &'static str, Credentials), Halt> {
        let CodeArts { endpoint, auth } = spec;
        let endpoint = allowed_endpoint(self.context, "spec.codeArts.endpoint", endpoint)?;
        let CodeArtsAuth { token_from, password, access_key } = auth;
        let (advice, credentials) = match (token_from, password, access_key) {
            (Some(from), None, None) => {
                let token = self.secret(from).await?;
                let advice = "put a valid IAM token into its Secret: one lives for 24 hours";
                (advice, Credentials::Token(token, from.secret_key_ref.clone()))
            }
            (None, Some(password), None) => {
                let advice = "correct domain, user and project, or put the right password into its Secret";
                (advice, self.password(password).await?)
            }
            (None, None, Some(key)) => {
                let advice = "put a valid access key into its Secret; if it is valid, correct this cluster's clock: a \
                              signature is good for 15 minutes";
                (advice, self.access_key(key).await?)
            }
            _ => {
                return Err(
                    invalid("set exactly one of tokenFrom, password and accessKey in spec.codeArts.auth").into()
                );
            }
        };
        Ok((endpoint, advice, credentials))
    }

    async fn password(&mut self, spec: &PasswordAuth) -> Result<Credentials, Halt> {
        let PasswordAuth { iam_endpoint, domain, user, project, password_from } = spec;
        let iam = allowed_endpoint(self.context, "spec.codeArts.auth.password.iamEndpoint", iam_endpoint)?;
        let login = Login {
            domain: domain.clone(),
            user: user.clone(),
            password: self.secret(password_from).await?,
            project: project.clone(),
        };
        Ok(Credentials::Password { iam, login, from: password_from.secret_key_ref.clone() })
    }

    async fn access_key(&mut self, spec: &AccessKeyAuth) -> Result<Credentials, Halt> {
        let AccessKeyAuth { project_id: _, access_key_from, secret_key_from, security_token_from } = spec;
        let access_key = self.secret(access_key_from).await?;
        let secret_key = self.secret(secret_key_from).await?;
        let security_token = match security_token_from {
            None => None,
            Some(from) => Some(self.secret(from).await?),
        };
        Ok(Credentials::AccessKey { spec: spec.clone(), access_key, secret_key, security_token })
    }

    async fn secret(&mut self, from: &SecretSource) -> Result<SecretText, Halt> {
        let (text, version) =
            value(self.context, SourceKind::Secret, self.namespace, &from.secret_key_ref, self.user).await?;
        self.values.push(text.clone());
        self.versions += &format!("{version} ");
        Ok(text)
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::person(Reason::InvalidSpec, message)
}

/// A value that can be read and not be used, by the name of where it is from.
pub(super) fn unusable(kind: &str, from: &KeyRef, error: &dyn std::fmt::Display) -> Refusal {
    let KeyRef { name, key } = from;
    invalid(format!("key {key} of {kind} {name} can't be used: {error}"))
}

fn unusable_key(spec: &AccessKeyAuth, error: KeyError) -> Refusal {
    let from = match error {
        KeyError::ProjectId => return invalid(format!("spec.codeArts.auth.accessKey: {error}; correct it")),
        KeyError::AccessKey => &spec.access_key_from,
        KeyError::SecretKey => &spec.secret_key_from,
        // Only where there is one can it be wrong.
        KeyError::SecurityToken => spec.security_token_from.as_ref().unwrap_or(&spec.secret_key_from),
    };
    unusable("Secret", &from.secret_key_ref, &error)
}
