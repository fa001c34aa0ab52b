import Foundation
import Testing

@testable import RegistryHTTP

@Suite("A line of the access log")
struct AccessLineTests {
    private func line(_ format: RegistryServer.AccessLogOutput.Format, path: Substring) -> String {
        var line = AccessLine()
        // What is left of an earlier line is gone.
        for _ in 0..<2 {
            line.begin(format)
            line.add("bytes", 12)
            line.add("duration_ms") { $0.append(Duration.microseconds(1_234_050)) }
            line.add("path", fromOutside: path)
        }
        return String(decoding: line.ended(), as: UTF8.self)
    }

    @Test(
        "text has quotes where a value has them",
        arguments: [("/v2/a", "/v2/a"), ("/v2/\"a", "\"/v2/\\\"a\""), ("/v2/\\a", "/v2/\\a"), ("/v2/a=b", "/v2/a=b")]
    )
    func text(path: Substring, printed: String) {
        #expect(line(.text, path: path) == "bytes=12 duration_ms=1234.050 path=\(printed)\n")
    }

    @Test("JSON is an object of strings, whatever the path", arguments: ["/v2/a", "/v2/\"a\"", "/v2/\\a\\", "/v2/é"])
    func json(path: String) throws {
        let line = line(.json, path: path[...])
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object == ["bytes": "12", "duration_ms": "1234.050", "path": path])
        #expect(line.hasSuffix("}\n"))
    }
}
