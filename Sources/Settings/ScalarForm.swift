import OCI
import YAMLReading

/// How a value of one type is written: a function from its text, which refuses with a sentence that helps.
struct ScalarForm<Value> {
    let parse: (String) throws(Refusal) -> Value
    /// Whether no problem may quote the value, as it is a secret or may hold one.
    let isSecret: Bool

    init(isSecret: Bool = false, _ parse: @escaping (String) throws(Refusal) -> Value) {
        self.isSecret = isSecret
        self.parse = parse
    }

    /// A form whose parser says no by `nil`.
    init(refusal: String, _ parse: @escaping (String) -> Value?) {
        self.init { (text: String) throws(Refusal) -> Value in
            guard let value = parse(text) else { throw Refusal(refusal) }
            return value
        }
    }
}

extension ScalarForm<Duration> {
    static var duration: Self {
        Self(refusal: "is not a duration; write a number and a unit, such as 60s", Duration.init(settingsText:))
    }

    /// A duration that is not zero: for waits that would otherwise fail at once.
    static var positiveDuration: Self {
        Self { (text: String) throws(Refusal) -> Duration in
            let value = try duration.parse(text)
            guard value > .zero else { throw Refusal("must be more than zero") }
            return value
        }
    }
}

extension ScalarForm<ByteCount> {
    static var byteCount: Self {
        Self(refusal: "is not a size; write a whole number and a unit, such as 50GB or 64GiB") { ByteCount($0) }
    }

    static func byteCount(atLeast minimum: ByteCount) -> Self {
        Self { (text: String) throws(Refusal) -> ByteCount in
            let value = try byteCount.parse(text)
            guard value >= minimum else { throw Refusal("is too small; the least is \(minimum)") }
            return value
        }
    }
}

extension ScalarForm<FreeSpace> {
    static var freeSpace: Self {
        Self(refusal: "is not a percentage or a size; write 5% or 10GB") { FreeSpace($0) }
    }
}

extension ScalarForm<Int> {
    static func count(_ range: ClosedRange<Int>) -> Self {
        Self(refusal: "is not a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            guard text.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(text) else { return nil }
            return range.contains(number) ? number : nil
        }
    }
}

extension ScalarForm<Bool> {
    static var flag: Self {
        Self(refusal: "is neither true nor false") { ["true": true, "false": false][$0] }
    }
}

extension ScalarForm<String> {
    static var text: Self { Self { $0 } }

    /// The path of a file, from the directory of the settings file when it is relative.
    static func path(in settingsFile: String) -> Self {
        Self { path in
            guard !path.hasPrefix("/"), let slash = settingsFile.lastIndex(of: "/") else { return path }
            return settingsFile[...slash] + path
        }
    }

    /// A pattern for repositories: `*` within a component, `**` for any number of components, `?` for one character.
    static var glob: Self {
        Self(refusal: "is not a pattern; write names with * or ?, such as library/* or myorg/**") { text in
            let components = text.split(separator: "/", omittingEmptySubsequences: false)
            return components.allSatisfy { $0 == "**" || $0.isGlobComponent } ? text : nil
        }
    }

    /// A pattern for tags: `*` for any characters, `?` for one.
    static var tagGlob: Self {
        Self(refusal: "is not a pattern for tags; write one such as v1.* or *-slim") { text in
            text.isGlobComponent ? text : nil
        }
    }

    /// A host, with or without a port, in lower case.
    static var host: Self {
        Self(refusal: "is not a host name; write one such as auth.example.com, with a port if it has one") {
            $0.isHostWithOptionalPort ? $0.lowercased() : nil
        }
    }
}

extension ScalarForm<Secret> {
    static var secret: Self { Self(isSecret: true) { Secret($0) } }
}

extension ScalarForm<EndpointURL> {
    static var endpoint: Self { Self(isSecret: true) { (text: String) throws(Refusal) in try EndpointURL(text) } }
}

extension ScalarForm<ProxyURL> {
    static var proxy: Self { Self(isSecret: true) { (text: String) throws(Refusal) in try ProxyURL(text) } }
}

extension ScalarForm<ListenAddress> {
    static var listenAddress: Self {
        Self(refusal: "is not an address; write host:port, such as 127.0.0.1:5000 or [::]:5000") { ListenAddress($0) }
    }
}

extension ScalarForm<ListenAddress?> {
    /// An address of its own, or `same`.
    static var adminAddress: Self {
        Self { (text: String) throws(Refusal) -> ListenAddress? in
            if text == "same" { return nil }
            guard let address = ListenAddress(text) else {
                throw Refusal("is neither \"same\" nor an address such as 127.0.0.1:5001")
            }
            return address
        }
    }
}

extension ScalarForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the names of an enumeration.
    static var choice: Self {
        Self { (text: String) throws(Refusal) -> Value in
            if let value = Value(rawValue: text) { return value }
            let names = Value.allCases.map(\.rawValue)
            let hint = text.nearest(among: names).map { "; did you mean \($0)?" } ?? ""
            throw Refusal("is not one of \(names.joined(separator: ", "))\(hint)")
        }
    }
}

extension StringProtocol {
    /// Whether this is a pattern for one component of a name.
    fileprivate var isGlobComponent: Bool {
        !isEmpty && !contains("**")
            && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-*?".contains($0)) }
    }
}
