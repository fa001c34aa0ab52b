import FoundationEssentials

/// Base64 of text, as `Basic` credentials and Docker's configuration file use it.
package enum Base64 {
    package static func encode(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
