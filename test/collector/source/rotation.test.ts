import { describe, expect, it } from 'vitest';
import { exporterNameOf, isLater, parseRotatedName } from '../../../collector/source/rotation.ts';

describe('exporterNameOf', () => {
  it.each([
    ['/in/sensor1-20261121052400-00000.yaf', 'sensor1'],
    ['/in/sensor-2-20261121052400-00012.yaf.gz', 'sensor-2'],
    ['/in/berlin/flows.ipfix', 'berlin'],
    ['/in/berlin/sensor1-20261121052400-100000.yaf', 'sensor1'],
    ['/in/flows.ipfix', 'files'],
    ['/in/sensor1-2026-00000.yaf', 'files'],
    ['/elsewhere/flows.ipfix', 'files'],
  ])('calls the exporter of %s %s', (path, name) => {
    expect(exporterNameOf(path, '/in')).toBe(name);
  });
});

describe('the order of rotated files', () => {
  it.each([
    ['s-20261121052400-00001.yaf', 's-20261121052400-00000.yaf', 'a higher number of the same second'],
    ['s-20261121052400-00000.yaf', 's-20261121052359-00007.yaf', 'number 0 of a YAF restarted later'],
    ['s-20261121052400-100000.yaf', 's-20261121052400-99999.yaf', 'a number that has outgrown five digits'],
  ])('puts %s after %s: %s', (later, earlier) => {
    const [a, b] = [parseRotatedName(later), parseRotatedName(earlier)];
    expect(a && b && [isLater(a, b), isLater(b, a), isLater(a, a)]).toEqual([true, false, false]);
  });
});
