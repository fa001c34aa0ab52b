import Foundation

@testable import RegistryHTTP

/// A certificate and key in temporary files, removed with the object.
///
/// Made for these tests with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500`, for
/// `localhost` and 127.0.0.1; they guard nothing.
final class TLSFixture {
    struct Pair {
        var certificate: String
        var key: String
    }

    let files: RegistryServer.TLSFiles

    init(_ pair: Pair) throws {
        let base = NSTemporaryDirectory() + "/tidepool-" + UUID().uuidString
        files = RegistryServer.TLSFiles(certificate: base + ".crt", key: base + ".key")
        try write(pair)
    }

    deinit {
        unlink(files.certificate)
        unlink(files.key)
    }

    func write(_ pair: Pair) throws {
        try Data(pair.certificate.utf8).write(to: URL(filePath: files.certificate))
        try Data(pair.key.utf8).write(to: URL(filePath: files.key))
    }
}

extension TLSFixture.Pair {
    static let first = Self(
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBozCCAUmgAwIBAgIULPetHfMSLtOplzLGsMLBHADwUQkwCgYIKoZIzj0EAwIw
            GDEWMBQGA1UEAwwNdGlkZXBvb2wgdGVzdDAgFw0yNjExMjEwMzM0MzNaGA8yMTI2
            MTAyODAzMzQzM1owGDEWMBQGA1UEAwwNdGlkZXBvb2wgdGVzdDBZMBMGByqGSM49
            AgEGCCqGSM49AwEHA0IABAZdHHyGDBSlS8VIu3BaYlb2JBLZIuhLQvhjoJGMuYME
            PB4KOH4KUshMoMla2voxIR9Y/OtGOVILPeOpEvQLPdKjbzBtMB0GA1UdDgQWBBTb
            nKyMtk8DhpkzNElnrm+AKP+/azAfBgNVHSMEGDAWgBTbnKyMtk8DhpkzNElnrm+A
            KP+/azAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAA
            ATAKBggqhkjOPQQDAgNIADBFAiEAqFPeSWHXKDtprMR7MEpKcrD3uZTSUyb6h7Yx
            dBD2lqUCIBVHv/Cm3BA0uMzgrK9TzaDSaUG92lVqhartmnUq4dz7
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg07SreJaVNvWOTOw7
            5b7f8By8JgHfxogFNczbmDsylw2hRANCAAQGXRx8hgwUpUvFSLtwWmJW9iQS2SLo
            S0L4Y6CRjLmDBDweCjh+ClLITKDJWtr6MSEfWPzrRjlSCz3jqRL0Cz3S
            -----END PRIVATE KEY-----
            """
    )

    static let second = Self(
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBpzCCAU2gAwIBAgIUCNzqTjAOuCEIpcMYXnBfbh3V+UEwCgYIKoZIzj0EAwIw
            GjEYMBYGA1UEAwwPdGlkZXBvb2wgdGVzdCAyMCAXDTI2MTEyMTAzMzQzM1oYDzIx
            MjYxMDI4MDMzNDMzWjAaMRgwFgYDVQQDDA90aWRlcG9vbCB0ZXN0IDIwWTATBgcq
            hkjOPQIBBggqhkjOPQMBBwNCAARNSzfmb27IrtB9gA8otaLkiPeBKTS/RTTM2DXU
            FcbgFIQc29nan2WBpcSPZve45a13CIKZ0CJXMU3VCwAYpjaMo28wbTAdBgNVHQ4E
            FgQU5IjlVEuBq+OkzhzojlKgicx8RF8wHwYDVR0jBBgwFoAU5IjlVEuBq+Okzhzo
            jlKgicx8RF8wDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SH
            BH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIhALn7rbF680Yrib4rcaPlXwf+8QeHQHd9
            eQc32HMpSX0WAiAKAkxtH3OA756OtgpJ9v1ogE19mC8pR7uCVXOw1hVNFg==
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5tqkDj15qFtO618x
            CJ1uBkoyQzmd25Vv9UjUMY8gdNChRANCAARNSzfmb27IrtB9gA8otaLkiPeBKTS/
            RTTM2DXUFcbgFIQc29nan2WBpcSPZve45a13CIKZ0CJXMU3VCwAYpjaM
            -----END PRIVATE KEY-----
            """
    )
}
