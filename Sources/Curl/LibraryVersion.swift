import CCurl

/// The libcurl that is loaded, and whether it can do what we rely on.
package struct LibraryVersion: Hashable, Sendable {
    /// As in `7.88.1`.
    package var number: String
    /// As in `OpenSSL/3.0.15`.
    package var tls: String
    /// What is missing, each in words for an operator; empty when all is well.
    package var shortcomings: [String]

    /// The version of the library in this process.
    package static let current: Self = {
        initializeLibrary()
        guard let info = unsafe ccurl_version_info() else {
            return Self(number: "unknown", tls: "none", shortcomings: ["libcurl does not tell its version"])
        }
        let features = unsafe Int(info.pointee.features)
        return unsafe Self(
            number: String(cString: info.pointee.version),
            tls: info.pointee.ssl_version.map { unsafe String(cString: $0) } ?? "none",
            shortcomings: shortcomings(number: info.pointee.version_num, features: features)
        )
    }()

    static func shortcomings(number: UInt32, features: Int) -> [String] {
        // 7.87 brought CURLOPT_QUICK_EXIT; PROTOCOLS_STR (7.85) and the pre-request callback (7.80) are older.
        var missing = number < 0x07_57_00 ? ["libcurl 7.87 or later is needed"] : []
        let needed = [
            (CURL_VERSION_SSL, "TLS"), (CURL_VERSION_IPV6, "IPv6"), (CURL_VERSION_ASYNCHDNS, "asynchronous DNS"),
        ]
        for (bit, name) in needed where features & Int(bit) == 0 { missing.append("libcurl was built without \(name)") }
        return missing
    }

    /// Sets libcurl up, once for the process.
    static func initializeLibrary() { _ = initialized }

    private static let initialized: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}
