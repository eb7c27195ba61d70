/**
 * The records of a list in their order. A change of one finds its place by halving and moves it; the list of snapshots that is handed
 * out is copied once for all changes since the last time, and each item stays the same object until its record changes.
 */
import type { RecordState } from './client';
import type { Address } from './record';
import type { Place, SortOrder } from './sort-order';

export class OrderedItems {
  private readonly order: SortOrder;
  private places: Place[] = [];
  private items: RecordState[] = [];
  private readonly placeByAddress = new Map<Address, Place>();
  private shared = false;

  constructor(order: SortOrder) {
    this.order = order;
  }

  get size(): number {
    return this.items.length;
  }

  has(address: Address): boolean {
    return this.placeByAddress.has(address);
  }

  /** An immutable list; the same object while nothing changes. */
  list(): readonly RecordState[] {
    this.shared = true;
    return this.items;
  }

  /** Puts a record where it belongs now. */
  set(state: RecordState): void {
    const place = this.order.placeOf(state);
    const before = this.placeByAddress.get(state.address);
    if (before !== undefined) {
      const index = this.indexOf(before);
      if (this.items[index] === state) return;
      this.own();
      if (this.fits(place, index)) {
        this.places[index] = place;
        this.items[index] = state;
        this.placeByAddress.set(state.address, place);
        return;
      }
      this.places.splice(index, 1);
      this.items.splice(index, 1);
    }
    this.own();
    const index = this.search(place);
    this.places.splice(index, 0, place);
    this.items.splice(index, 0, state);
    this.placeByAddress.set(state.address, place);
  }

  delete(address: Address): void {
    const place = this.placeByAddress.get(address);
    if (place === undefined) return;
    const index = this.indexOf(place);
    this.own();
    this.places.splice(index, 1);
    this.items.splice(index, 1);
    this.placeByAddress.delete(address);
  }

  /** All at once: cheaper than one by one when most of them are new. */
  replace(states: readonly RecordState[]): void {
    const made = states.map((state) => ({ state, place: this.order.placeOf(state) }));
    made.sort((left, right) => this.order.compare(left.place, right.place));
    this.items = made.map((one) => one.state);
    this.places = made.map((one) => one.place);
    this.shared = false;
    this.placeByAddress.clear();
    for (const place of this.places) this.placeByAddress.set(place.address, place);
  }

  /** What was handed out is left alone; there is a new list from here on. */
  private own(): void {
    if (!this.shared) return;
    this.items = this.items.slice();
    this.shared = false;
  }

  /** Whether the place at this index may change to `place` without moving. */
  private fits(place: Place, index: number): boolean {
    const [before, after] = [this.places[index - 1], this.places[index + 1]];
    return (
      (before === undefined || this.order.compare(before, place) < 0) && (after === undefined || this.order.compare(place, after) < 0)
    );
  }

  /** The index of the first place that does not come before this one. */
  private search(place: Place): number {
    let [low, high] = [0, this.places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.places[middle];
      if (there !== undefined && this.order.compare(there, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private indexOf(place: Place): number {
    const index = this.search(place);
    return this.places[index] === place ? index : this.places.indexOf(place);
  }
}
