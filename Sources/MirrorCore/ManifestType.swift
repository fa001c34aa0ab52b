import OCI

/// What to call a manifest: the `mediaType` in the document, else what upstream said.
///
/// So no upstream can change what the clients of another see.
enum ManifestType {
    static func name(of document: [UInt8], told: String?) -> String {
        let manifest = Manifest(document)
        if let own = manifest?.mediaType, isMediaType(own) { return own }
        if let told, isMediaType(told) { return told }
        return manifest?.manifests.isEmpty == false ? MediaType.ociIndex : MediaType.ociManifest
    }

    /// Whether a text may stand in a header: `type/subtype` of RFC 6838, without parameters.
    static func isMediaType(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { (1...127).contains($0.count) && $0.allSatisfy(isNameByte) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$&-^_.+".utf8.contains(byte)
        }
    }
}
