use http::StatusCode;

use super::*;

const ID: &str = "018f4b1e-0000-7000-8000-000000000001";

fn parse(method: &Method, path: &str) -> Result<Route, ApiError> {
    Route::parse(method, path)
}

fn below(file: FileId) -> PackagedPath {
    let part = Part::parse(&["1", "0.m4s"]).unwrap();
    PackagedPath { file, lease: "L".to_owned(), generation: 7, rendition: "720p".to_owned(), part }
}

#[test]
fn no_lease_or_token_is_in_a_log_however_the_path_was_joined() {
    for (path, logged) in [
        ("/v1/files/stream/1/SECRET/7/720p/0/1.m4s", "/v1/files/stream/1/-/7/720p/0/1.m4s"),
        ("/v1/files/stream/1/SECRET/7", "/v1/files/stream/1/-/7"),
        ("/v1/files/stream/1/SECRET", "/v1/files/stream/1/-/"),
        ("//v1/files/stream/1/SECRET%2F7/x", "//v1/files/stream/1/-/x"),
        ("/v1/files/stream/1/master.m3u8/SECRET", "/v1/files/stream/1/-/SECRET"),
        ("/v1/files/stream/1/master.m3u8", "/v1/files/stream/1/master.m3u8"),
        ("/v1/files/stream/1/manifest.mpd", "/v1/files/stream/1/manifest.mpd"),
        ("/v1/files/stream/1", "/v1/files/stream/1"),
        ("/v1/files/1/info", "/v1/files/1/info"),
        ("/v1/files/stream/1&token=SECRET", "/v1/files/stream/1&token=-"),
        ("/v1/files/stream/1%3FToken%3DSECRET/x", "/v1/files/stream/1%3FToken%3D-"),
        ("/v1/files/stream/1/SECRET/token=SECRET", "/v1/files/stream/1/-/token=-"),
        ("/v1/uploads/SECRET", "/v1/uploads/-"),
        ("//v1/uploads/SECRET/token", "//v1/uploads/-"),
        ("/v1%2Fuploads%2FSECRET", "/v1/uploads/-"),
        ("/v1/uploads", "/v1/uploads"),
        ("/v1/uploads/token", "/v1/uploads/token"),
    ] {
        assert_eq!(loggable(path), logged);
    }
}

#[test]
fn every_endpoint_has_its_route() {
    let (id, job): (FileId, JobId) = (ID.parse().unwrap(), ID.parse().unwrap());
    let table = [
        (Method::GET, "/".to_owned(), Route::Page(Asset::find("/").unwrap())),
        (Method::GET, "/openapi.json".to_owned(), Route::OpenApi),
        (Method::GET, "/v1/files".to_owned(), Route::List),
        (Method::POST, "/v1/files".to_owned(), Route::Upload),
        (Method::POST, "/v1/files/token".to_owned(), Route::MintToken),
        (Method::GET, "/v1/files/stream".to_owned(), Route::StreamLocation),
        (Method::GET, format!("/v1/files/stream/{ID}"), Route::StreamFile(id)),
        (Method::HEAD, format!("/v1/files/stream/{ID}"), Route::StreamFile(id)),
        (Method::POST, "/v1/files/location".to_owned(), Route::OpenLocation),
        (Method::GET, format!("/v1/files/{ID}"), Route::Open(id)),
        (Method::HEAD, format!("/v1/files/{ID}"), Route::Open(id)),
        (Method::DELETE, format!("/v1/files/{ID}"), Route::Delete(id)),
        (Method::PATCH, format!("/v1/files/{ID}"), Route::Change(id)),
        (Method::POST, "/v1/files/delete".to_owned(), Route::DeleteMany),
        (Method::POST, format!("/v1/files/{ID}/restore"), Route::Restore(id)),
        (Method::GET, format!("/v1/files/{ID}/info"), Route::Info(id)),
        (Method::GET, format!("/v1/files/{ID}/cost"), Route::Cost(id)),
        (Method::GET, format!("/v1/files/{ID}/poster"), Route::Image(id, Image::Poster)),
        (Method::GET, format!("/v1/files/{ID}/storyboard.vtt"), Route::Image(id, Image::Cues)),
        (Method::HEAD, format!("/v1/files/{ID}/storyboard-2.jpg"), Route::Image(id, Image::Sheet(2))),
        (Method::GET, format!("/v1/files/{ID}/thumbnail"), Route::Thumbnail(id)),
        (Method::POST, format!("/v1/files/{ID}/captions"), Route::AddCaptions(id)),
        (Method::GET, format!("/v1/files/{ID}/captions/pt-BR.vtt"), Route::Captions(id, "captions-pt-br".to_owned())),
        (
            Method::DELETE,
            format!("/v1/files/{ID}/captions/eng.vtt"),
            Route::RemoveCaptions(id, "captions-en".to_owned()),
        ),
        (Method::GET, format!("/v1/files/stream/{ID}/master.m3u8"), Route::Master(id)),
        (Method::HEAD, format!("/v1/files/stream/{ID}/manifest.mpd"), Route::Manifest(id)),
        (Method::GET, format!("/v1/files/stream/{ID}/L/7/720p/1/0.m4s"), Route::Packaged(below(id))),
        (Method::GET, "/v1/usage".to_owned(), Route::Usage),
        (Method::GET, "/v1/leases".to_owned(), Route::Leases),
        (Method::POST, "/v1/leases/revoke".to_owned(), Route::RevokeLeases),
        (Method::POST, format!("/v1/files/{ID}/retry"), Route::RetryFile(id)),
        (Method::GET, "/v1/jobs".to_owned(), Route::Jobs),
        (Method::GET, format!("/v1/jobs/{ID}"), Route::Job(job)),
        (Method::POST, format!("/v1/jobs/{ID}/retry"), Route::RetryJob(job)),
        (Method::POST, format!("/v1/jobs/{ID}/cancel"), Route::CancelJob(job)),
        (Method::OPTIONS, "/v1/files/token".to_owned(), Route::Preflight("POST, OPTIONS")),
        (Method::POST, "/v1/uploads".to_owned(), Route::Resumable(Verb::Create, None)),
        (Method::POST, "/v1/uploads/token".to_owned(), Route::MintUploadToken),
        (Method::HEAD, "/v1/uploads/S".to_owned(), Route::Resumable(Verb::Look, Some("S".to_owned()))),
        (Method::PATCH, "/v1/uploads/S".to_owned(), Route::Resumable(Verb::Append, Some("S".to_owned()))),
        (Method::DELETE, "/v1/uploads/S".to_owned(), Route::Resumable(Verb::Terminate, Some("S".to_owned()))),
        (Method::OPTIONS, "/v1/uploads/S".to_owned(), Route::DescribeUploads("HEAD, PATCH, DELETE, OPTIONS")),
    ];
    for (method, path, route) in table {
        assert_eq!(parse(&method, &path), Ok(route), "{method} {path}");
    }
}

#[test]
fn static_routes_win_over_ids() {
    for path in ["/v1/files/token", "/v1/files/location", "/v1/files/delete"] {
        let error = parse(&Method::GET, path).unwrap_err();
        assert_eq!(error.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(error.into_response().headers()["allow"], "POST, OPTIONS");
    }
}

#[test]
fn a_malformed_id_is_422_and_an_unknown_path_404() {
    let upper = format!("/v1/files/{}", ID.to_uppercase().replace('-', ""));
    for path in ["/v1/files/7", "/v1/files/..", "/v1/files/%2e%2e", "/v1/files/x/info", "/v1/files/stream/7", &upper] {
        assert_eq!(parse(&Method::GET, path).unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    for path in
        ["", "/v1", "/v1/filesx", "/v1/files/", "/v1/files//", "/v1/files/a/b", "/v2/files", "//v1/files", "/metrics"]
    {
        assert_eq!(parse(&Method::GET, path).unwrap_err().status, StatusCode::NOT_FOUND, "{path}");
    }
}
