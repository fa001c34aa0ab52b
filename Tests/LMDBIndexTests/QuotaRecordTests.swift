import LMDB
import Locking
import MirrorCore
import MirrorTesting
import OCI
import Testing

@testable import LMDBIndex

@Suite("Quota accounts in the index", .timeLimit(.minutes(1)))
struct QuotaRecordTests {
    let fixture: IndexFixture
    let account = QuotaAccount(upstream: .dockerHub, account: "somebody")

    init() throws {
        fixture = try IndexFixture()
    }

    static let full = {
        var record = QuotaRecord()
        record.revision = 1 << 40
        record.limit = 200
        record.window = .milliseconds(3_600_500)
        record.remaining = 0
        record.source = "2001:db8::"
        record.observedAt = WallTime(milliseconds: 1_800_000_000_123)
        record.windowBeganAt = WallTime(milliseconds: -1)
        record.exhaustedUntil = WallTime(milliseconds: 1_800_000_000_124)
        record.unreflected = 3
        record.spentInWindow = [.pull: 1, .prewarm: 0, .refresh: 3]
        record.spentEver = [.pull: 10, .prewarm: 0, .refresh: 30]
        return record
    }()

    @Test("a record comes back as it was, whatever is missing in it")
    func roundTrip() {
        #expect(decode(QuotaRecord().record) == QuotaRecord())
        #expect(decode(Self.full.record) == Self.full)
        let absences: [(inout QuotaRecord) -> Void] = [
            { $0.limit = nil }, { $0.window = nil }, { $0.remaining = nil }, { $0.source = nil },
            { $0.observedAt = nil }, { $0.windowBeganAt = nil }, { $0.exhaustedUntil = nil }, { $0.source = "" },
            { ($0.spentInWindow, $0.spentEver) = ([:], [:]) },
        ]
        for leaveOut in absences {
            var record = Self.full
            leaveOut(&record)
            #expect(decode(record.record) == record)
        }
    }

    @Test("the layout on disk does not change unless the version does")
    func layout() {
        var record = QuotaRecord()
        record.revision = 2
        record.remaining = 7
        record.source = "s"
        record.spentInWindow = [.prewarm: 1]
        record.spentEver = [.prewarm: 3]
        let number = { (low: UInt8) in [low, 0, 0, 0, 0, 0, 0, 0] }
        let head: [UInt8] = [1, 0b100, 0x80] + number(2) + number(0)
        #expect(record.record == head + number(7) + [1, 2] + number(1) + number(3) + [UInt8(ascii: "s")])
    }

    @Test("a record that is cut, of a later version, or not possible is none")
    func damaged() {
        let whole = Self.full.record
        let fixed = whole.count - (Self.full.source ?? "").utf8.count
        for length in 0..<fixed { #expect(decode(Array(whole[..<length])) == nil) }
        #expect(decode([2] + whole.dropFirst()) == nil)
        var laterFlag = whole
        laterFlag[1] |= 1 << 6
        #expect(decode(laterFlag) == nil)
        #expect(decode(whole + [0xFF]) == nil)
        #expect(decode(QuotaRecord().record + [65]) == nil)
        // Numbers that would overflow what is calculated with them.
        for place in 0..<7 {
            var bytes = whole
            bytes[3 + 8 + place * 8 + 7] = 0x7F
            #expect(decode(bytes) == nil)
        }
    }

    @Test("accounts are read back after the index was closed and opened")
    func persists() async throws {
        let other = QuotaAccount(upstream: UpstreamName("ghcr.io"))
        do {
            let index = try fixture.open()
            #expect(index.quotaRecords().isEmpty)
            try await index.commit([.quota(account, Self.full), .quota(other, QuotaRecord())])
            index.close()
        }
        let index = try fixture.open()
        #expect(index.quotaRecords() == [account: Self.full, other: QuotaRecord()])
        index.close()
    }

    @Test("a record that was overtaken by a later one is left out")
    func overtaken() async throws {
        let index = try fixture.open()
        var (earlier, later) = (Self.full, Self.full)
        later.revision += 1
        later.spentEver[.pull] = 11
        try await index.commit([.quota(account, later)])
        try await index.commit([.quota(account, earlier)])
        #expect(index.quotaRecords() == [account: later])
        earlier.revision = later.revision + 1
        try await index.commit([.quota(account, earlier)])
        #expect(index.quotaRecords() == [account: earlier])
        index.close()
    }

    @Test("an index from before there was a ledger is opened, and keeps what it has")
    func older() async throws {
        try fixture.directory.makeDirectory("index")
        let blob = BlobRecord(size: 5, landedAt: WallTime(milliseconds: 1))
        try changeTables { transaction throws(LMDBError) in
            let blobs = try transaction.table(named: "blobs")
            try transaction.put(blob.record.span, for: Key.content(IndexFixture.digest(1)).span, in: blobs)
            let meta = try transaction.table(named: "meta")
            let key = Key.schema
            let schema: [UInt8] = [recordVersion, 1, 0, 0, 0]
            try transaction.put(schema.span, for: key.span, in: meta)
        }
        let index = try fixture.open()
        #expect(index.blobSize(IndexFixture.digest(1)) == 5)
        try await index.commit([.quota(account, Self.full)])
        #expect(index.quotaRecords() == [account: Self.full])
        #expect(fixture.log.messages.isEmpty)
        index.close()
    }

    @Test("a damaged account is logged and counts as absent, and can be written again")
    func damagedAccount() async throws {
        let other = QuotaAccount(upstream: UpstreamName("ghcr.io"))
        do {
            let index = try fixture.open()
            try await index.commit([.quota(other, Self.full)])
            index.close()
        }
        try changeTables { transaction throws(LMDBError) in
            let ledger = try transaction.table(named: "ledger")
            let cut: [UInt8] = [recordVersion, 0]
            try transaction.put(cut.span, for: Key.quota(account).span, in: ledger)
            try transaction.put(Self.full.record.span, for: Array("nonsense".utf8).span, in: ledger)
        }
        let index = try fixture.open()
        #expect(index.quotaRecords() == [other: Self.full])
        #expect(fixture.log.messages == ["error: Accounts of the quota ledger are damaged and count as absent"])
        try await index.commit([.quota(account, QuotaRecord())])
        #expect(index.quotaRecords() == [account: QuotaRecord(), other: Self.full])
        index.close()
    }

    @Test("an account with a name too long for a key is refused, and nothing else is")
    func longName() async throws {
        let index = try fixture.open()
        let long = QuotaAccount(upstream: .dockerHub, account: String(repeating: "a", count: 600))
        await #expect(throws: IndexError.self) { try await index.commit([.quota(long, Self.full)]) }
        try await index.commit([.quota(account, Self.full)])
        #expect(index.quotaRecords() == [account: Self.full])
        index.close()
    }

    @Test("a ledger over it loses no read that was granted, however many at once")
    func ledger() async throws {
        let account = account
        do {
            let index = try fixture.open()
            let ledger = LocalLedger(index: index, reserves: [:], metrics: Metrics(), logger: fixture.log.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...200 {
                    group.addTask {
                        let claim = try await ledger.claim(for: .pull, on: account)
                        let kept = index.quotaRecords()[account]?.spentEver[.pull] ?? 0
                        #expect(kept > 0)
                        if number % 2 == 0 { ledger.settle(claim, isSpent: true) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(index.quotaRecords()[account]?.spentEver == [.pull: 200])
            index.close()
        }
        let index = try fixture.open()
        let ledger = LocalLedger(index: index, reserves: [:], metrics: Metrics(), logger: fixture.log.logger)
        #expect(ledger.status().map(\.spentEver) == [[.pull: 200]])
        index.close()
    }

    /// Writes to the tables behind the index's back.
    private func changeTables(_ body: (inout WriteTransaction) throws(LMDBError) -> Void) throws {
        let environment = try Environment(directory: fixture.path, mapSize: 16 << 20, maxTables: 16, maxReaders: 4)
        try environment.write(body)
    }

    // A function, since a span cannot be in an expression that a macro takes apart.
    private func decode(_ bytes: [UInt8]) -> QuotaRecord? { QuotaRecord(record: bytes.span) }
}
