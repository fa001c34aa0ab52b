import Foundation
import Testing

@testable import Ocync

/// Cases with exact results, observed from ocync itself; `Fixtures/README.md` says how.
struct Vectors: Decodable, Sendable {
    var config: [ConfigVector]
    var env: [EnvironmentVector]
    var filter: [FilterVector]
    var environment: [String: String]

    private enum CodingKeys: String, CodingKey {
        case config, env, filter
        case environment = "env_vars"
    }

    static let all: Vectors = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/ocync-vectors.json")
        do {
            return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
        } catch {
            fatalError("\(file.path): \(error)")
        }
    }()
}

/// A file, and whether ocync loads it.
struct ConfigVector: Decodable, CustomTestStringConvertible {
    var name: String
    var yaml: String
    var ok: Bool
    var error: String?

    var testDescription: String { name }
}

/// A text with references to the environment, and what becomes of it.
struct EnvironmentVector: Decodable, CustomTestStringConvertible {
    var text: String
    var allowsSecrets: Bool
    var out: String?
    var error: String?

    private enum CodingKeys: String, CodingKey {
        case out, error
        case text = "in"
        case allowsSecrets = "allow_secrets"
    }

    var testDescription: String { text }
}

/// Blocks of tags and a tag list, and what is kept of it.
struct FilterVector: Decodable, CustomTestStringConvertible {
    var name: String
    var mappingTags: Tags?
    var defaultsTags: Tags?
    var sourceTags: [String]
    var kept: [String]?
    var exact: [String]?
    var error: String?

    private enum CodingKeys: String, CodingKey {
        case name, kept, exact, error
        case mappingTags = "mapping_tags"
        case defaultsTags = "defaults_tags"
        case sourceTags = "source_tags"
    }

    var testDescription: String { name }

    /// A `tags` block in JSON.
    struct Tags: Decodable {
        var block = TagsBlock()

        private enum Key: String, CodingKey, CaseIterable {
            case glob, semver, include, exclude, sort, latest
            case minTags = "min_tags"
            case immutableTags = "immutable_tags"
        }

        init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: Key.self)
            block.glob = try Self.patterns(keys, .glob)
            block.semver = try keys.decodeIfPresent(String.self, forKey: .semver)
            block.include = try Self.patterns(keys, .include)
            block.exclude = try Self.patterns(keys, .exclude)
            block.sort = try keys.decodeIfPresent(String.self, forKey: .sort).flatMap { TagOrder(rawValue: $0) }
            block.latest = try keys.decodeIfPresent(Int.self, forKey: .latest).map { Located(value: $0, line: nil) }
            block.minTags = try keys.decodeIfPresent(Int.self, forKey: .minTags)
            block.immutableTags = try keys.decodeIfPresent(String.self, forKey: .immutableTags)
        }

        private static func patterns(_ keys: KeyedDecodingContainer<Key>, _ key: Key) throws -> [String]? {
            guard keys.contains(key) else { return nil }
            if let one = try? keys.decode(String.self, forKey: key) { return [one] }
            return try keys.decode([String].self, forKey: key)
        }
    }
}
