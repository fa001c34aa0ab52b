import Foundation
import Testing

@testable import Posix

@Suite("Host")
struct HostTests {
    @Test("the processors that may be used are those of the process's own affinity")
    func processors() throws {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") })
        let mask = try #require(line.split(separator: "\t").last)
        let count = mask.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
        #expect(Host.usableProcessors == count)
    }
}
