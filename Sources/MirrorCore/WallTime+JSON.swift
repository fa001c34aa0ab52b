import FoundationEssentials

/// In documents a time is text of RFC 3339, UTC, whole seconds.
extension WallTime: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let date = try? Date.ISO8601FormatStyle().parse(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not a time")
        }
        self.init(milliseconds: Int64(date.timeIntervalSince1970) * 1000)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        let date = Date(timeIntervalSince1970: Double(milliseconds / 1000))
        try container.encode(date.formatted(Date.ISO8601FormatStyle()))
    }
}
