import FoundationEssentials

/// The body of every error response: `{"errors":[{"code":…,"message":…,"detail":…}]}`.
package struct ErrorEnvelope: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        package var code: String
        package var message: String
        package var detail: [String: String]?
    }

    package var errors: [Entry]

    package init(_ code: ErrorCode, message: String? = nil, detail: [String: String]? = nil) {
        errors = [Entry(code: code.rawValue, message: message ?? code.message, detail: detail)]
    }

    /// The document, its keys in a fixed order.
    package var bytes: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and arrays of strings always encode.
        return (try? encoder.encode(self)).map(Array.init) ?? []
    }
}

/// An error code of the OCI distribution specification, with the status it goes with.
package enum ErrorCode: String, CaseIterable, Sendable {
    case blobUnknown = "BLOB_UNKNOWN"
    case digestInvalid = "DIGEST_INVALID"
    case manifestUnknown = "MANIFEST_UNKNOWN"
    case nameInvalid = "NAME_INVALID"
    case nameUnknown = "NAME_UNKNOWN"
    case unauthorized = "UNAUTHORIZED"
    case denied = "DENIED"
    case unsupported = "UNSUPPORTED"
    case tooManyRequests = "TOOMANYREQUESTS"
    /// The rest are not in the specification; `distribution/distribution` sends them, and clients know them.
    case paginationNumberInvalid = "PAGINATION_NUMBER_INVALID"
    case rangeInvalid = "RANGE_INVALID"
    case unavailable = "UNAVAILABLE"
    case unknown = "UNKNOWN"

    package var status: Int {
        switch self {
        case .digestInvalid, .nameInvalid, .paginationNumberInvalid: 400
        case .unauthorized: 401
        case .denied: 403
        case .blobUnknown, .manifestUnknown, .nameUnknown: 404
        case .unsupported: 405
        case .rangeInvalid: 416
        case .tooManyRequests: 429
        case .unknown: 500
        case .unavailable: 503
        }
    }

    package var message: String {
        switch self {
        case .blobUnknown: "blob unknown to registry"
        case .digestInvalid: "provided digest is not valid"
        case .manifestUnknown: "manifest unknown"
        case .nameInvalid: "invalid repository name"
        case .nameUnknown: "repository name not known to registry"
        case .unauthorized: "authentication required"
        case .denied: "requested access to the resource is denied"
        case .unsupported: "the operation is unsupported"
        case .tooManyRequests: "too many requests"
        case .paginationNumberInvalid: "invalid number of results requested"
        case .rangeInvalid: "the requested range cannot be served"
        case .unavailable: "the upstream registry is unavailable"
        case .unknown: "unknown error"
        }
    }
}
